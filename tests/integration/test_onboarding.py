"""A fifth hospital with a dialect of its own needs data files only: a draft, edited tables, and all of it is mapped."""

import csv
import shutil
from pathlib import Path

import pytest

from adapter.cli import site as command
from adapter.convert import convert
from adapter.data import data_folder
from adapter.errors import MappingError
from adapter.mapper.catalog import load_catalog
from adapter.operate.coverage import Coverage, share
from adapter.request_errors import BadParameter

NAME = "fifth"
ORU = "\r".join(
    [
        "MSH|^~\\&|JYXT|DWYY|HUB|CENTRAL|20240315100000||ORU^R01|{id}|P|2.4||||||GB 18030-2000",
        "PID|1||T{id}^^^DWBL^BL||*试  例||19931130000000|1",
        "PV1|1|I|H3||||||||||||||||V{id}",
        "OBR|1||^^BAR{id}|CBC^血常规^DWLIS|||20240315063000123||||||||||||||||||F",
        "ORC|RE",
        "OBX||NM|BXB^白细胞^DWLIS||4.5|10^9/L|3--9||||F",
        "OBX||NM|ZZX^自造项目^DWLIS||2|个/视野|||||F",
        "",
    ]
)


def samples(folder: Path) -> list[Path]:
    files = [folder / f"{number}.hl7" for number in (1, 2, 3)]
    for number, file in enumerate(files, 1):
        file.write_bytes(ORU.format(id=number).encode("gb18030"))
    return files


def add(file: Path, *rows: str) -> None:
    file.write_text(file.read_text("utf-8") + "".join(f"{row}\n" for row in rows), "utf-8")


@pytest.fixture
def drafted(tmp_path: Path) -> tuple[Path, list[Path]]:
    mappings = shutil.copytree(data_folder("mappings"), tmp_path / "mappings")
    files = samples(tmp_path)
    command.site("new", NAME, files, timezone="Asia/Shanghai", mappings=mappings)
    return mappings, files


def test_the_draft_loads_and_says_who_sends_in_which_characters(drafted: tuple[Path, list[Path]]) -> None:
    site = load_catalog(drafted[0]).sites["FIFTH"]
    assert (site.match, site.encoding) == ({"MSH-3": {"JYXT"}, "MSH-4": {"DWYY"}}, "gb18030")
    assert set(site.fixes) == {
        "names-without-blanks",
        "names-without-asterisk",
        "birth-date-alone",
        "dotted-milliseconds",
        "number-in-third-component",
        "orc-before-obr",
    }
    assert site.identifiers.find("T1", authorities=("DWBL",), type_code="BL") is not None


def test_proposals_are_counted_named_as_such_and_never_active(drafted: tuple[Path, list[Path]]) -> None:
    mappings, _ = drafted
    with (mappings / "sites" / NAME / "proposals.csv").open(encoding="utf-8", newline="") as lines:
        rows = {row["code"]: row for row in csv.DictReader(lines)}
    known, unknown = rows["BXB"], rows["ZZX"]
    assert (known["table"], known["count"], known["target_code"]) == ("OBX-3", "3", "6690-2")
    assert known["source"].startswith("proposal: ")
    assert (unknown["target_code"], unknown["source"]) == ("", "no proposal")
    assert (rows["个/视野"]["file"], rows["个/视野"]["count"]) == ("units.csv", "3")
    assert load_catalog(mappings).sites["FIFTH"].codes == {}


def test_with_edited_tables_every_populated_field_is_mapped(drafted: tuple[Path, list[Path]]) -> None:
    mappings, files = drafted
    folder = mappings / "sites" / NAME
    add(
        folder / "codes.csv",
        "OBX-3,BXB,白细胞,http://loinc.org,6690-2,Leukocytes,,a test",
        "OBX-3,ZZX,自造项目,,,,,a test",
        "0001-administrative-sex,1,男,http://hl7.org/fhir/administrative-gender,male,,,GB/T 2261.1 (a test)",
        "category,CBC,血常规,http://terminology.hl7.org/CodeSystem/observation-category,laboratory,,,a test",
    )
    add(folder / "units.csv", "个/视野,/[HPF],a test")
    add(folder / "site.yaml", "systems: {DWLIS: 'https://fhir.tli-trial.example.org/CodeSystem/fifth-lab'}")
    (folder / "OBR-DiagnosticReport.yaml").write_text("ignored: {ORC-1: always RE}\n", "utf-8")
    catalog = load_catalog(mappings)
    counted = Coverage(catalog)
    for file in files:
        counted.add(file.read_bytes(), site=catalog.sites["FIFTH"], example=file.name)
    assert counted.failed == {}
    assert share(counted.tallies.values()) == 1
    made = convert(files[0].read_bytes(), catalog=catalog)
    assert made.missing == ()
    resources = {one.resource["resourceType"]: one.resource for one in made.resources}
    assert resources["Patient"]["name"][0]["text"] == "试例"
    assert (resources["Patient"]["gender"], resources["Patient"]["birthDate"]) == ("male", "1993-11-30")
    assert "_birthDate" not in resources["Patient"]
    assert resources["Observation"]["effectiveDateTime"] == "2024-03-15T06:30:00.123+08:00"
    assert resources["DiagnosticReport"]["identifier"][0]["value"] == "BAR1/CBC"
    values = [one.resource["valueQuantity"] for one in made.resources if "valueQuantity" in one.resource]
    assert [value["code"] for value in values] == ["10*9/L", "/[HPF]"]


def test_without_an_offset_in_the_samples_the_time_zone_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="--timezone is needed"):
        command.site("new", NAME, samples(tmp_path), out=tmp_path / "drafts")
    assert not (tmp_path / "drafts").exists()


def test_a_sender_that_is_known_already_is_told(tmp_path: Path) -> None:
    file = tmp_path / "known.hl7"
    file.write_bytes(ORU.format(id=1).replace("DWYY", "YWCH").encode("gb18030"))
    with pytest.raises(MappingError, match="matches senders that FIFTH matches too"):
        command.site("new", NAME, [file], timezone="Asia/Shanghai", out=tmp_path / "drafts")
