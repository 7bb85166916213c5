"""Appointments, charges and master files over the whole way: updates, cancels, lateness, messages without a patient."""

from pathlib import Path

import pytest

from tests.integration.catalogue_stand import pass_through
from tests.integration.intake_stand import PID, message

BOOKED = "SCH|P-1|A-1||||BOOK|||45|min|^^^20180102093000+0800|||||D2^Test^Doc|||||||||Booked"
ROOM = "AIL|1|A|OPD^12||||||45|min"


def sent(event: str, number: int, *segments: str) -> bytes:
    """A message of a hospital that a site names, at the minute of its number."""
    kind, _, trigger = event.partition("^")
    structure = {"SIU": "SIU_S12", "MFN": f"MFN_{trigger}", "DFT": "DFT_P03"}[kind]
    time = f"2018010108{number:02}00+0800"
    msh = f"MSH|^~\\&|LIS|FAHZU|HUB|CENTRAL|{time}||{event}^{structure}|A{number}|P|2.5.1|||AL|NE|CHN|UNICODE UTF-8"
    return message(msh, *segments)


def test_a_cancel_ends_the_appointment_and_keeps_its_times(tmp_path: Path):
    booked = sent("SIU^S12", 1, BOOKED, PID, "RGS|1", ROOM)
    cancel = sent("SIU^S15", 2, "SCH|P-1|A-1||||PATIENT||||||||||D2^Test^Doc", PID, "RGS|1")
    appointment = pass_through(tmp_path, booked, cancel).only("Appointment")
    assert appointment["status"] == "cancelled"
    assert appointment["cancelationReason"] == {"text": "PATIENT"}
    assert (appointment["start"], appointment["end"]) == ("2018-01-02T09:30:00+08:00", "2018-01-02T10:15:00+08:00")
    assert not {"_start", "_end"} & appointment.keys()


def test_a_booking_that_arrives_after_its_cancel_does_not_reopen_it(tmp_path: Path):
    booked = sent("SIU^S12", 1, BOOKED, PID, "RGS|1", ROOM)
    cancel = sent("SIU^S15", 2, "SCH|P-1|A-1||||PATIENT||||||||||D2^Test^Doc", PID, "RGS|1")
    appointment = pass_through(tmp_path, cancel, booked).only("Appointment")
    assert appointment["status"] == "cancelled"
    assert appointment["start"] == "2018-01-02T09:30:00+08:00"


def test_an_appointment_that_is_made_again_has_no_reason_of_a_cancel(tmp_path: Path):
    cancel = sent("SIU^S15", 1, "SCH|P-1|A-1||||PATIENT||||||||||D2^Test^Doc", PID, "RGS|1")
    booked = sent("SIU^S13", 2, BOOKED, PID, "RGS|1", ROOM)
    appointment = pass_through(tmp_path, cancel, booked).only("Appointment")
    assert appointment["status"] == "booked"
    assert "cancelationReason" not in appointment


@pytest.mark.parametrize(
    ("event", "segments", "made"),
    [
        ("MFN^M02", ("MFI|PRA||UPD|||NE", "MFE|MAD|1||D7|CWE", "STF|D7||测^试医"), "Practitioner"),
        ("MFN^M05", ("MFI|LOC||UPD|||NE", "MFE|MAD|1||OPD^12|PL", "LOC|OPD^12||C", "LDP|OPD^12|HEM"), "Location"),
    ],
)
def test_a_master_file_needs_no_patient(tmp_path: Path, event: str, segments: tuple[str, ...], made: str):
    outcome = pass_through(tmp_path, sent(event, 1, *segments))
    assert outcome.told()[0] in {"AA", "CA"}
    assert (outcome.message["state"], outcome.message["lane"]) == ("mapped", "FAHZU")
    assert len(outcome.resources[made]) == 1
    assert "Patient" not in outcome.resources


def test_a_record_that_is_deactivated_stays_and_is_not_active(tmp_path: Path):
    added = sent("MFN^M02", 1, "MFI|PRA||UPD|||NE", "MFE|MAD|1||D7|CWE", "STF|D7||测^试医||||A")
    gone = sent("MFN^M02", 2, "MFI|PRA||UPD|||NE", "MFE|MDC|1||D7|CWE", "STF|D7")
    person = pass_through(tmp_path, added, gone).only("Practitioner")
    assert (person["active"], person["name"][0]["family"]) == (False, "测")


def test_a_charge_that_is_sent_again_is_one_charge(tmp_path: Path):
    charge = "FT1|1|T-1||20180101||CG|L100^Blood count^L|||{}|50&CNY"
    messages = [sent("DFT^P03", number, "EVN|P03", PID, charge.format(number)) for number in (1, 2)]
    item = pass_through(tmp_path, *messages).only("ChargeItem")
    assert item["quantity"] == {"value": 2}
