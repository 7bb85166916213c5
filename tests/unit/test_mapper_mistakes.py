"""A mistake in mappings/ stops the start, with file and line and, where there is one, the nearest right name."""

import gc
import shutil
from pathlib import Path

import pytest

from adapter.data import data_folder
from adapter.errors import MappingError
from adapter.mapper.catalog import load_catalog

PID, OBX = "segments/PID-Patient.yaml", "segments/OBX-Observation.yaml"
RXA, PV1 = "segments/RXA-MedicationAdministration.yaml", "segments/PV1-Encounter.yaml"
ORU, JINHUA = "messages/ORU_R01.yaml", "sites/jinhua/PID-Patient.yaml"


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    return shutil.copytree(data_folder("mappings"), tmp_path / "mappings")


def broken(mappings: Path, name: str, old: str, new: str) -> int:
    """Replace one text of one line; the number of that line."""
    file = mappings / name
    lines = file.read_text("utf-8").split("\n")
    at = next(number for number, line in enumerate(lines) if old in line)
    lines[at] = lines[at].replace(old, new)
    file.write_text("\n".join(lines), "utf-8")
    return at + 1


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (PID, "codes: 0001", "code: 0001", "did you mean codes"),
        (PID, "resource: Patient", "resorce: Patient", "did you mean resource"),
        (ORU, "Patient, update", "Patient, updates", "did you mean update"),
        (ORU, "Patient, update: fill", "Patient, update: full", "must be replace or fill"),
        (PID, "from: PID-8", "from: PID-88", "PID-88 is in no version of HL7 v2; PID has the fields 1 to 40"),
        (PID, "from: PID-8", "from: PID-8.99", "PID-8.99 is in no version of HL7 v2; PID-8 has the components 1 to"),
        (PID, "from: PID-8", "from: PIX-8", "PIX-8 is in no version of HL7 v2; did you mean P"),
        (PID, "from: PID-8", "from: pid.8", "no HL7 v2 path"),
        (PID, "unless: PID-29", "unless: PID-92", "PID-92 is in no version"),
        (PID, "order: [EVN-6", "order: [EVN-66", "EVN-66 is in no version"),
        (OBX, "OBX-3.1, OBX-4]", "OBX-3.1, OBX-44]", "OBX-44 is in no version"),
        (PID, "to: gender", "to: gendre", "did you mean gender"),
        (RXA, "to: dosage.route", "to: dosage.rout", "did you mean route"),
        (PV1, "resource: Encounter", "resource: Visit", "file name must be"),
        (PID, "as: XPN-HumanName", "as: XPN-HumanNames", "did you mean XPN-HumanName"),
        (PID, "from: PID-3, as: CX-Id", "from: PID-3, as: CX-Ix", "no converter"),
        (PID, "codes: 0001-ad", "codes: 0001-add", "did you mean 0001-administrative-sex"),
        (PID, "to: birthDate, as: DTM-date", "to: birthDate, as: DTM-dateTime", "makes dateTime"),
        (PID, "to: gender, codes: 0001", "to: birthDate, codes: 0001", "holds no code"),
        (PID, "from: PID-5, ", "from: [PID-5], ", "does not take from:"),
        (PID, "as: XPN-HumanName", "value: x, as: XPN-HumanName", "exactly one of"),
        (PID, "from: PID-8, to: gender", "to: gender", "needs from:"),
        (PID, "to: gender, ", "", "needs to:"),
        (
            PV1,
            "{default: unknown, to: status}",
            "{default: x, to: hospitalization.origin.reference}",
            "one of its elements",
        ),
        (PID, "from: PID-17, to: extension", "from: PID-17, to: address", "is no extension"),
        (PID, "from: PID-8, to: gender,", "from: PID-8, to: gender, url: x,", "url: needs as:"),
        (PID, "as: ST-Address, url", "as: CWE-Communication, url", "which an extension cannot hold"),
        (PID, "_birthDate.extension", "_name.extension", "holds its extensions itself"),
        (PID, "PID-27: military", "PID-270: military", "PID-270 is in no version"),
        (PV1, "to: diagnosis.condition", "to: hospitalization.origin", "one of each item of an element that repeats"),
        ("segments/PID-Account.yaml", "when: PID-18", "when: PID-180", "PID-180 is in no version"),
        ("segments/OBX-Consent.yaml", "only: {from: OBX-3.1", "only: {from: OBR-4.1", "only: reads the segment that"),
        ("messages/ADT_A05.yaml", "segment: PV2, on", "segments: PV2, on", "unknown key 'segments'"),
        (
            "messages/ADT_A05.yaml",
            "segment: PV2, on: [A28, A31], reason",
            "segment: PV2, on: [A28, A32], reason",
            "A32 is none of",
        ),
        ("datatypes.yaml", "  9: jurisdiction", "  99: jurisdiction", "CX.99 is no component"),
        (ORU, "map: SPM-Specimen", "map: SPM-Specimens", "did you mean SPM-Specimen"),
        (ORU, "structure: ORU_R01", "structure: ORU_R02", "file name must be"),
        (JINHUA, "replaces: [identifier, link, ", "replaces: [identifiers, ", "did you mean identifier"),
        (ORU, "in: [OBSERVATION,", "in: [OBSERVATIONS,", "did you mean OBSERVATION"),
        ("envelope.yaml", "1: field separator", "1:", "has no reason"),
        ("events.yaml", "  ORL^O22:", "  ADT^A08:", "has a map already"),
    ],
)
def test_a_broken_line_is_named(mappings: Path, name: str, old: str, new: str, says: str) -> None:
    line = broken(mappings, name, old, new)
    with pytest.raises(MappingError, match=says) as caught:
        load_catalog(mappings)
    assert caught.value.file.endswith(name)
    whole_file = "file name" in says or old.startswith(("order", "when", "PID-27:"))
    assert caught.value.line == (1 if whole_file else line)


def test_a_map_that_never_writes_what_fhir_requires_is_refused(mappings: Path) -> None:
    broken(mappings, OBX, "to: code,", "to: method,")
    with pytest.raises(MappingError, match="no rule writes code, which FHIR requires") as caught:
        load_catalog(mappings)
    assert caught.value.file.endswith(OBX)


def test_a_site_that_changes_an_unknown_map_is_refused(mappings: Path) -> None:
    folder = mappings / "sites" / "yiwu"
    shutil.copy(mappings / "sites/jinhua/PID-Patient.yaml", folder / "PID-Person.yaml")
    with pytest.raises(MappingError, match="not in mappings/segments") as caught:
        load_catalog(mappings)
    assert caught.value.file.endswith("PID-Person.yaml")


def test_an_unknown_fix_is_refused(mappings: Path) -> None:
    broken(mappings, "sites/yiwu/site.yaml", "fixes: []", "fixes: [split-blood]")
    with pytest.raises(MappingError, match=r"there is no split-blood; known are .*did you mean split-blood-pressure"):
        load_catalog(mappings)


def test_an_event_that_two_files_map_is_refused(mappings: Path) -> None:
    broken(mappings, "messages/ADT_A02.yaml", "ADT^A02", "ADT^A01")
    with pytest.raises(MappingError, match=r"ADT\^A01 is mapped twice, also in ADT_A01.yaml"):
        load_catalog(mappings)


def test_yaml_that_cannot_be_read_is_named_by_its_line(mappings: Path) -> None:
    line = broken(mappings, PID, "to: gender, ", "to: gender: ")
    with pytest.raises(MappingError) as caught:
        load_catalog(mappings)
    assert (caught.value.file.endswith(PID), caught.value.line) == (True, line)


def test_garbage_is_collected_again_after_mappings_that_are_wrong(mappings: Path) -> None:
    broken(mappings, PID, "to: gender, ", "to: gender: ")
    with pytest.raises(MappingError):
        load_catalog(mappings)
    assert gc.isenabled()
