"""What the hospitals sent, against what a correct adapter must hold (the truth files of the cohort)."""

import csv
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapter.hl7v2.message import Delimiters, Field, escape, split_field
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.sites import Site, load_sites

ROOT = Path(__file__).parents[2]
TRUTH = ROOT.parent / "shared" / "cohort" / "messages" / "truth"
pytestmark = pytest.mark.skipif(not TRUTH.is_dir(), reason=f"no truth files beside the project ({TRUTH})")

ER7 = Delimiters("|", "^", "~", "\\", "&", None)
BLOOD_PRESSURE = {"SBP": "BP.SBP", "DBP": "BP.DBP"}


@cache
def sites() -> dict[str, Site]:
    return {site.code: site for site in load_sites(ROOT / "mappings")}


@cache
def bound(site: str, name: str) -> Any:
    return CONVERTERS[name].bind(sites()[site], ("OBX-5", "OBX-2", "OBX-6", "OBX-3"))


def rows(name: str) -> list[dict[str, str]]:
    with (TRUTH / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def field(text: str) -> Field:
    return split_field(text, ER7)


def code_sent(row: dict[str, str]) -> str:
    return BLOOD_PRESSURE[row["analyte"]] if row["local_code"] == "BP" else row["local_code"]


def kind_sent(row: dict[str, str]) -> str:
    if row["site"] == "JHAH" or row["text"]:
        return "ST"
    return "SN" if row["comparator"] else "NM"


def test_every_result_of_the_cohort_has_its_value_and_ucum_unit() -> None:
    seen: set[tuple[str, ...]] = set()
    for row in rows("observations.csv"):
        sent = row["value_sent"]
        key = (row["site"], row["local_code"], row["analyte"], sent, row["unit_sent"], row["comparator"])
        if key in seen or row["analyte"] == "HLAMATCH" or not sent:
            continue
        seen.add(key)
        if row["comparator"]:
            sent = f"{row['comparator']}{'^' if kind_sent(row) == 'SN' else ''}{sent.lstrip('<')}"
        made = bound(row["site"], "OBX-value")(
            field(sent), field(kind_sent(row)), unit_field(row), field(escape(code_sent(row), ER7))
        )
        if isinstance(made, Doubt) and made.kind == "unit-repaired":
            made = made.value
        assert not isinstance(made, Doubt), (key, made)
        if row["text"]:
            assert made == {"valueString": row["text"]}
            continue
        quantity = made["valueQuantity"]
        assert quantity.get("code") == row["unit"], key
        assert quantity.get("comparator", "") == row["comparator"], key
        assert quantity["value"] == Decimal(row["value"]), key
    assert len(seen) > 4_000


def unit_field(row: dict[str, str]) -> Field:
    """OBX-6 as the hospital writes it: with components in 01, escaped in 02, not escaped in 03, second in 04."""
    unit = row["unit_sent"]
    if not unit:
        return ()
    if row["site"] == "FAHZU":
        code, rest = unit.split("^", 1)
        text, system = rest.rsplit("^", 1)
        return ((((code,), (text,), (system,))),)
    if row["site"] == "YWCH":
        return field(escape(unit, ER7))
    return field(unit) if row["site"] == "JHAH" else field(f"^{unit}")


def test_reference_ranges_are_in_the_unit_of_the_value() -> None:
    """The flag that the hospital would give must follow from value and range as stored."""
    sent = {("YWCH", "HXBYJ"): "0.400-0.500", ("LSCH", "H0505"): "200--400", ("JHAH", "WBC"): "4.0～10.0"}
    unit = {"YWCH": "L/L", "LSCH": "^mg/dL", "JHAH": "10^9/L"}
    limits = {
        (row["site"], row["local_code"]): (Decimal(row["ref_low"]), Decimal(row["ref_high"]))
        for row in rows("observations.csv")
        if (row["site"], row["local_code"]) in sent and row["ref_low"]
    }
    for (site, code), expected in limits.items():
        made = bound(site, "OBX-referenceRange")(field(sent[site, code]), field(unit[site]), field(code))
        assert (made["low"]["value"], made["high"]["value"]) == expected


def test_every_result_of_the_cohort_has_its_loinc() -> None:
    for site, code, loinc in {
        (row["site"], code_sent(row), row["loinc"]) for row in rows("observations.csv") if row["loinc"]
    }:
        concept = without_doubt(CONVERTERS["CWE-CodeableConcept"].bind(sites()[site], ("OBX-3",))(((code,),)))
        assert concept["coding"][0]["code"] == loinc, (site, code)
        assert concept["coding"][0]["system"] == "http://loinc.org"


def test_every_drug_of_the_cohort_has_its_atc_code_and_dose_units() -> None:
    for row in rows("administrations.csv"):
        site = sites()[row["site"]]
        drug = without_doubt(CONVERTERS["CWE-CodeableConcept"].bind(site, ("RXA-5",))(((row["local_code"],),)))
        assert drug["coding"][0]["code"] == row["atc"], row
        for unit in (row["dose_unit"], row["dose_norm_unit"]):
            assert not unit or site.units.resolve(field(unit)).code == unit  # type: ignore[union-attr]
