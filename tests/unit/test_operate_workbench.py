"""The analyst's workbench: what became of each field, and what another mappings folder would make of a message."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapter.cli import _application
from adapter.convert import convert
from adapter.data import data_folder
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.operate.differing import Difference, differences
from adapter.operate.explain import account
from tests import mappings

CASE = Path(__file__).parents[1] / "cases" / "ADT_A01" / "birth-date-impossible" / "message.hl7"
GENDER = "to: gender, codes: 0001-administrative-sex"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return mappings.catalog()


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    folder = shutil.copytree(data_folder("mappings"), tmp_path / "mappings")
    file = folder / "segments" / "PID-Patient.yaml"
    text = file.read_text("utf-8")
    assert GENDER in text
    file.write_text(text.replace(GENDER, "to: maritalStatus.text, as: ST-string"), "utf-8")
    return folder


def test_a_field_leads_to_its_elements_and_rules(catalog: Catalog) -> None:
    made = account(convert(CASE.read_bytes(), catalog=catalog))
    fields = {one["path"]: one for one in made["fields"]}
    (to,) = fields["PID-8"]["to"]
    assert to.startswith("Patient.gender (PID-Patient.yaml:")
    assert (fields["PID-1"]["became"], fields["PID-1"]["reason"]) == ("ignored", "set id")
    assert (fields["PID-7"]["became"], fields["PID-7"]["to"]) == ("mapped", [])


def test_what_other_mappings_would_change_is_told_by_element(catalog: Catalog, edited: Path) -> None:
    found = differences(CASE.read_bytes(), catalog, load_catalog(edited))
    assert [(one.element, one.before, one.after) for one in found] == [
        ("gender", "male", None),
        ("maritalStatus.text", None, "M"),
    ]
    assert {one.resource.partition("/")[0] for one in found} == {"Patient"}


def test_the_same_mappings_differ_in_nothing(catalog: Catalog) -> None:
    assert differences(CASE.read_bytes(), catalog, catalog, site="FAHZU") == []


def test_a_message_that_only_one_side_converts_is_a_difference(catalog: Catalog, edited: Path) -> None:
    (edited / "messages" / "ADT_A01.yaml").unlink()
    found = differences(CASE.read_bytes(), catalog, load_catalog(edited))
    assert Difference("not converted", "", None, {"cause": "H2F-3002 no map for ADT^A08"}) in found
    assert {one.after is None for one in found if one.resource != "not converted"} == {True}


def test_the_commands_show_it_for_people(edited: Path) -> None:
    run = CliRunner()
    shown = run.invoke(_application(["convert", "diff"]), ["convert", "--explain", str(CASE)])
    assert shown.exit_code == 0
    assert "What became of each field" in shown.output
    compared = run.invoke(_application(["convert", "diff"]), ["diff", str(CASE), "--mappings", str(edited)])
    assert compared.exit_code == 1
    assert '- gender: "male"' in compared.output
    counted = run.invoke(_application(["coverage", "diff"]), ["coverage", str(CASE)])
    assert counted.exit_code == 0
    assert "ADT_A01" in counted.output
