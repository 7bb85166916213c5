"""Mistakes of an analyst stop the start with file and line."""

import shutil
from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.mapper.codes import valid_loinc
from adapter.mapper.sites import load_sites, standard_site
from tests.unit.datatypes_reading import MAPPINGS

CODES, UNITS = "sites/yiwu/codes.csv", "sites/yiwu/units.csv"
IDENTIFIERS, SITE = "sites/yiwu/identifiers.csv", "sites/yiwu/site.yaml"


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    return shutil.copytree(MAPPINGS, tmp_path / "mappings")


def append(file: Path, line: str) -> int:
    """Add a line; its number."""
    text = file.read_text("utf-8")
    file.write_text(f"{text}{line}\n", "utf-8")
    return text.count("\n") + 1


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        (CODES, "OBX-3,BXB,白细胞,http://loinc.org,26464-8,Leukocytes,,copied", "repeats line"),
        (CODES, "OBX-3,NEW,新,http://loinc.org,6690-3,,,invented", "check digit"),
        (CODES, "OBX-3,NEW,新,LOINC,6690-2,,,a name", "must be a URI"),
        (CODES, "OBX-3,NEW,新,http://loinc.org,6690-2,,XX,type", "value_type"),
        (CODES, "OBX-3,NEW,新,http://loinc.org,6690-2,,,", "source"),
        (CODES, "OBX-3,NEW", "cells"),
        (UNITS, "万/L,10*4/L,unverified", "not in units/ucum.csv"),
        ("units/conversions.csv", "2160-0,mg/dL,umol/L,many,typing error", "is no number"),
        ("units/conversions.csv", "2160-0,mg/dL,umol/L,-1,typing error", "greater than zero"),
        ("units/canonical.csv", "2160-0,G/L,gauss", "not in units/ucum.csv"),
        (IDENTIFIERS, "PID-3,X,,,https://e.org/x,QQ,,,,", "type_code"),
        (IDENTIFIERS, "PID-3,X,,,https://e.org/x,MR,,,luhn,", "no check luhn"),
        (IDENTIFIERS, "PID-3,X,,,x,MR,,,,", "must be a URI"),
        ("systems.csv", "99NEW,https://e.org/new,private,somewhere", "kind"),
        (SITE, "colour: red", "unknown key"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(mappings: Path, name: str, line: str, says: str) -> None:
    number = append(mappings / name, line)
    with pytest.raises(MappingError, match=says) as caught:
        load_sites(mappings)
    assert caught.value.file.endswith(name)
    assert caught.value.line == number


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (SITE, "Asia/Shanghai", "Asia/Yiwu", "no time zone"),
        (SITE, "gb18030", "gb99999", "no encoding"),
        (SITE, "[YWCH]", "YWCH", "lists of names"),
        (SITE, "[YWCH]", "[FAHZU]", "matches senders that FAHZU matches too"),
        (SITE, "code: YWCH", "code: LSCH", "also the code"),
        (SITE, "lane: PID-3.1", "lane:", "lane: is missing"),
        (CODES, "table,code", "table,kode", "first line must be"),
    ],
)
def test_a_wrong_setting_of_a_site_is_named(mappings: Path, name: str, old: str, new: str, says: str) -> None:
    file = mappings / name
    file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(MappingError, match=says):
        load_sites(mappings)


def test_a_file_that_excel_saved_is_read_and_one_in_another_charset_is_not(mappings: Path) -> None:
    file = mappings / CODES
    text = file.read_text("utf-8")
    file.write_text(text, "utf-8-sig")
    assert load_sites(mappings)["YWCH"].table("OBX-3")["BXB"].display == "白细胞"
    file.write_text(text, "gb18030")
    with pytest.raises(MappingError, match="cannot be read"):
        load_sites(mappings)


@pytest.mark.parametrize(
    ("application", "facility", "code"),
    [
        ("HIS^2.16.840.1^ISO", "FAHZU^2.16.840.1^ISO", "FAHZU"),
        ("LIS", "YWCH", "YWCH"),
        ("NIS", "JHAH", "JHAH"),
        ("LSHIS", "LSCH", "LSCH"),
        ("HIS", "ELSEWHERE", None),
        ("", "", None),
    ],
)
def test_a_site_is_found_by_its_facility(application: str, facility: str, code: str | None) -> None:
    found = load_sites(MAPPINGS).find(application, facility)
    assert (found.code if found else None) == code


def test_what_each_hospital_needs_to_be_read() -> None:
    sites = load_sites(MAPPINGS)
    assert {site.code: site.encoding for site in sites} == {
        "CONFIRMATIONS": "utf-8",
        "CONTROLS": "utf-8",
        "FAHZU": "utf-8",
        "JHAH": "gb18030",
        "LSCH": "utf-8",
        "YWCH": "gb18030",
    }
    assert sites["JHAH"].lane == "PID-2.1"
    assert not sites["JHAH"].unique_control_ids
    assert standard_site(MAPPINGS).code == "STANDARD"
    assert not standard_site(MAPPINGS).sends("", "")


def test_siemens_are_seconds_only_where_a_hospital_writes_so() -> None:
    sites = load_sites(MAPPINGS)
    sent = (((("S",)),),)
    assert sites["YWCH"].units.resolve(sent).code == "s"  # type: ignore[union-attr]
    assert sites["FAHZU"].units.resolve(sent).code == ""  # type: ignore[union-attr]
    for trap in ("G/L", "K/uL"):
        assert sites["FAHZU"].units.resolve((((trap,),),)).code == "10*9/L"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("code", "right"), [("6690-2", True), ("14135-8", True), ("14135-4", False), ("11150-6", False)]
)
def test_the_check_digit_of_loinc(code: str, *, right: bool) -> None:
    assert valid_loinc(code) is right
