"""Group D of the fault catalogue: which person a number means, and who is in the study."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from adapter.intake import Origin
from adapter.intake.late import minimise_once
from adapter.listeners import Channel
from adapter.mapper.placeholders import load_placeholders
from adapter.store.repair import SAME_PERSON, UNMERGE
from tests.integration.catalogue_stand import agreed
from tests.integration.identity_stand import NAMING, NOW, Sender, World, mrg, patient_id, pid, world
from tests.integration.intake_stand import intake_on, message, run

A, B, C = (patient_id(number) for number in ("A1", "B1", "C1"))
RESIDENT = "11010519491231002X"


@pytest.fixture
def it(tmp_path: Path) -> Generator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def his() -> Sender:
    return Sender()


def enrolment(sender: Sender, *, subject: str = "ATLI-901", number: str = "A1") -> bytes:
    """The trial office registers a patient."""
    person = f"PID|1||{number}^^^FAHZU^MR~{subject}^^^TLI2017^ANON||赵^试九〇一^^^^^L^I||19541202|M"
    return message(sender.head("CRM^C01"), person, f"CSR|TLI2017^TLI2017|||{subject}^^^TLI2017||20180301")


def with_resident(number: str, resident: str, site: str = "FAHZU") -> str:
    """A person with a resident identity number."""
    return f"PID|1||{number}^^^{site}^MR~{resident}^^^CHN-MPS^NI||赵^试九〇一^^^^^L^I||19491231|M"


def identifiers(it: World, patient: str) -> set[tuple[str, str]]:
    return {(one["system"], one["value"]) for one in it.read("Patient", patient)["identifier"]}


def test_d2_sender_of_another_hospital_is_refused_and_the_other_sees_nothing(it: World) -> None:
    intake = intake_on(it.database, it.catalog, lambda: NOW)
    ours = Origin(Channel("fahzu", frozenset({"FAHZU"})), "mllp", "192.0.2.7:50000")

    async def scene() -> None:
        it.answers.append(await intake.receive(Sender("LSCH").person("L1"), origin=ours))
        await intake.close()

    run(scene)
    assert it.states == [("rejected", "H2F-2013")]
    assert b"ERR||MSH^1^4|103" in (it.answers[0].ack or b"")
    assert it.all("Patient") == []


@pytest.mark.parametrize("numbers", ["L1^^^LSCH^MR", "L1^^^LSCH^MR~Y1^^^YWCH^MR"])
def test_d3_patient_with_numbers_of_other_hospitals_only_is_refused(it: World, his: Sender, numbers: str) -> None:
    it.take(his.adt("A31", f"PID|1||{numbers}||赵^试九〇一||19541202|M", "PV1|1|N"))
    assert it.states == [("rejected", "H2F-2107")]
    assert b"ERR||PID^1^3|204" in (it.answers[0].ack or b"")


def test_d4_number_of_another_authority_is_kept_and_finds_nobody(it: World, his: Sender) -> None:
    it.take(his.adt("A31", "PID|1||A1^^^FAHZU^MR~X77^^^OTHER^MR||赵^试九〇一||19541202|M", "PV1|1|N"))
    it.take(his.adt("A31", "PID|1||B1^^^FAHZU^MR~X77^^^OTHER^MR||钱^试九〇二||19600101|F", "PV1|1|N"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert any(system.endswith("unknown-OTHER") and value == "X77" for system, value in identifiers(it, A))
    assert (it.read("Patient", A)["gender"], it.read("Patient", B)["gender"]) == ("male", "female")


def test_d5_same_number_at_two_hospitals_is_of_two_patients(it: World, his: Sender) -> None:
    it.take(his.person("A1"), Sender("LSCH").person("A1", name="钱^试九〇二", born="19600101", sex="F"))
    it.take(his.result("A1", "1"))
    ours, theirs = patient_id("A1"), patient_id("A1", "LSCH")
    assert {one["id"] for one in it.all("Patient")} == {ours, theirs}
    assert (it.read("Patient", ours)["gender"], it.read("Patient", theirs)["gender"]) == ("male", "female")
    assert it.subjects() == {ours}
    assert identifiers(it, ours).isdisjoint(identifiers(it, theirs))


def test_d6_same_resident_at_two_hospitals_is_of_two_patients_and_found(it: World, his: Sender) -> None:
    it.take(his.adt("A31", with_resident("A1", RESIDENT), "PV1|1|N"))
    assert it.found == set()
    it.take(Sender("LSCH").adt("A31", with_resident("L1", RESIDENT, "LSCH"), "PV1|1|N"))
    assert len(it.all("Patient")) == 2
    assert ("PID-3", "possible-double-enrolment") in it.found


@pytest.mark.parametrize("number", ["110105194912310021", "110105491231002"], ids=["wrong digit", "15 digits"])
def test_d7_resident_number_that_cannot_be_right_is_kept_and_matches_nobody(
    it: World, his: Sender, number: str
) -> None:
    it.take(his.adt("A31", with_resident("A1", number), "PV1|1|N"))
    it.take(Sender("LSCH").adt("A31", with_resident("L1", number, "LSCH"), "PV1|1|N"))
    assert (f"{NAMING}/cn-resident-id-unchecked", number) in identifiers(it, A)
    assert it.found == {("PID-3", "identity-number")}


def test_d7_small_x_is_the_capital_one(it: World, his: Sender) -> None:
    it.take(his.adt("A31", with_resident("A1", RESIDENT.lower()), "PV1|1|N"))
    assert (f"{NAMING}/cn-resident-id-unchecked", RESIDENT.lower()) in identifiers(it, A)
    assert it.found == {("PID-3", "identity-number")}


def test_d8_message_without_a_number_is_refused(it: World, his: Sender) -> None:
    it.take(his.adt("A31", "PID|1||||赵^试九〇一||19541202|M", "PV1|1|N"))
    assert it.states == [("rejected", "H2F-2105")]
    assert b"ERR||PID^1^3|101" in (it.answers[0].ack or b"")


def test_d9_number_without_authority_is_kept_under_a_system_of_its_own(it: World, his: Sender) -> None:
    it.take(his.adt("A31", "PID|1||A1||赵^试九〇一||19541202|M", "PV1|1|N"))
    assert it.states == [("mapped", "")]
    (patient,) = it.all("Patient")
    assert patient["identifier"][0]["value"] == "A1"


def test_d10_results_before_the_enrolment_are_stored_and_tied_later(it: World, his: Sender) -> None:
    it.take(his.result("A1", "1"))
    assert "extension" not in it.all("Observation")[0]
    it.take(enrolment(his))
    assert it.all("Observation")[0]["extension"]


def test_d10_site_that_holds_lets_go_on_enrolment(tmp_path: Path, his: Sender) -> None:
    held = agreed(tmp_path, "fahzu", unenrolled="hold")
    with world(tmp_path, held) as it:
        it.take(his.result("A1", "1"), his.person("A1"))
        assert it.states == [("held", "H2F-3109")] * 2
        assert it.all("Patient") == []
        it.take(enrolment(his))
        assert {state for state, _ in it.states} == {"mapped"}
        assert it.subjects() == {A}


def test_d10_what_nobody_enrols_for_is_minimised_after_the_window(tmp_path: Path, his: Sender) -> None:
    held = agreed(tmp_path, "fahzu", unenrolled="hold")
    with world(tmp_path, held) as it:
        it.take(his.result("A1", "1"))
        (before,) = it.rows("SELECT sha256 FROM message")
        minimise_once(it.database)
        ((state, cause, raw, digest),) = it.rows("SELECT state, cause_code, raw, sha256 FROM message")
        assert (state, cause, digest) == ("ignored", "H2F-3109", before[0])
        assert bytes(raw).startswith(b"MSH|")
        assert bytes(raw).count(b"\r") == 1


def test_d23_number_that_names_another_person_is_held_before_anything_is_overwritten(it: World, his: Sender) -> None:
    it.take(his.person("A1"))
    before = it.content()
    it.take(his.person("A1", name="钱^试九〇二", born="19800101"))
    assert it.states[-1] == ("held", "H2F-3106")
    assert it.causes == ["PID-3: name and birth date are not those of the stored patient of this number"]
    assert it.content() == before


def test_d23_result_of_another_person_is_not_filed_under_the_number(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.result("A1", "1", name="钱^试九〇二", born="19800101"))
    assert it.states[-1] == ("held", "H2F-3106")
    assert it.all("Observation") == []


def test_d23_second_person_in_one_batch_is_held_too(it: World, his: Sender) -> None:
    it.receive(his.person("A1"), his.person("A1", name="钱^试九〇二", born="19800101"), his.result("A1", "1"))
    it.convert()
    assert [state for state, _ in it.states] == ["mapped", "held", "received"]


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "钱^试九〇二"},
        {"born": "", "sex": ""},
        {"born": "1954", "name": "赵^试九〇一"},
        {"born": "19000101", "name": "无名氏"},
        {"name": "ZHAO^SHI", "born": "19541202", "sex": "F"},
    ],
    ids=["one differs", "absent", "less precise", "placeholders", "another script"],
)
def test_d23_what_differs_in_less_than_two_goes_on(it: World, his: Sender, changed: dict[str, Any]) -> None:
    it.take(his.person("A1"), his.person("A1", **changed))
    assert it.states[-1] == ("mapped", "")


def test_d23_goes_on_by_the_word_of_a_person_that_it_is_the_same(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.person("A1", name="钱^试九〇二", born="19800101"))
    assert it.do(SAME_PERSON, 2, "steward", "identity card seen") == 1
    it.convert()
    assert it.states[-1] == ("mapped", "")
    assert it.read("Patient", A)["birthDate"] == "1980-01-01"
    assert it.rows("SELECT actor, kind, detail FROM action") == [("steward", "same-person", "identity card seen")]
    assert ("PID-3", "same-person") in it.found


def test_d24_placeholders_are_kept_flagged_and_not_compared(it: World, his: Sender) -> None:
    it.take(his.person("A1", name="无名氏001", born="19000101"), his.person("A1"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert it.found == {("PID-5", "placeholder"), ("PID-7", "placeholder")}
    assert it.read("Patient", A)["birthDate"] == "1954-12-02"


@pytest.mark.parametrize("name", ["unknown man 001", "WANG BABY BOY", "李之子", "BABY OF WANG", "无名氏 2"])
def test_d24_names_that_mean_nobody(name: str) -> None:
    placeholders = load_placeholders(Path(__file__).parents[2] / "mappings")
    assert placeholders.is_name(name) == (name != "WANG BABY BOY")


def test_d22_unmerge_needs_two_persons_and_puts_back_what_each_number_had(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.result("A1", "1", visit="V1"), his.person("B1"), his.result("B1", "2"))
    before = it.content()
    it.take(his.adt("A40", pid("B1"), mrg("A1")))
    it.take(his.result("A1", "3"))
    assert it.subjects() == {B}
    assert it.do(UNMERGE, 5, "first", "two persons after all") == 1
    it.convert()
    assert it.do(UNMERGE, 5, "first", "two persons after all") == 1
    it.convert()
    assert it.subjects() == {B}
    assert it.do(UNMERGE, 5, "second", "seen both cards") == 1
    it.convert()
    after = it.content()
    assert {name: after[name] for name in before} == before
    assert it.subjects() == {A, B}
    assert [row[0] for row in it.rows("SELECT action FROM identity_journal ORDER BY id")] == [
        *("applied", "went", "reversed")
    ]
    assert it.do(UNMERGE, 5, "third", "again") == 0


def test_d22_unmerge_takes_those_out_of_the_study_who_were_in_it_only_by_the_merge(it: World, his: Sender) -> None:
    it.take(enrolment(his, number="B1"), his.person("A1"), his.result("A1", "1"))
    before = it.content()
    it.take(his.adt("A40", pid("B1"), mrg("A1")))
    assert it.all("Observation")[0]["extension"]
    it.do(UNMERGE, 4, "first", "wrong")
    it.do(UNMERGE, 4, "second", "wrong")
    it.convert()
    after = it.content()
    assert [name for name in before if after[name] != before[name]] == [f"Patient/{B} {B}"]  # PID said it again
    assert {value for _, value in identifiers(it, B)} == {"B1", "ATLI-901"}
    assert [one["type"] for one in it.read("Patient", B)["link"]] == ["seealso"]
    it.take(his.result("A1", "2"))
    assert all("extension" not in one for one in it.all("Observation"))


def test_d22_unmerge_inside_a_chain_leaves_the_rest(it: World, his: Sender) -> None:
    it.take(*(his.person(number) for number in ("A1", "B1", "C1")), his.result("A1", "1"), his.result("B1", "2"))
    it.take(his.adt("A40", pid("B1"), mrg("A1")), his.adt("A40", pid("C1"), mrg("B1")))
    assert it.subjects() == {C}
    for person in ("first", "second"):
        it.do(UNMERGE, 7, person, "wrong")
    it.convert()
    assert it.subjects() == {B}
    it.take(his.result("A1", "3"))
    assert it.subjects() == {B}
