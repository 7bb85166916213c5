"""Units are UCUM, conversions have UCUM's factors, and what only looks like a unit never becomes one."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.data import data_folder
from adapter.errors import MappingError
from adapter.hl7v2.message import split_field
from adapter.mapper.makers import STANDARD
from adapter.mapper.sites import Site, load_sites, standard_site

pytest.importorskip("ucumvert")

from adapter.operate import ucum

MAPPINGS = data_folder("mappings")
SITES = [*load_sites(MAPPINGS), standard_site(MAPPINGS)]
FALSE_FRIENDS = ("G/L", "K/uL", "K/UL", "g/l", "S", "10^9/L", "10E9/L", "M/uL", "T/L", "mcg", "sec", "cc", "x10^9/L")


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    return shutil.copytree(MAPPINGS, tmp_path / "mappings")


def test_every_unit_and_conversion_that_ships_is_right() -> None:
    assert ucum.check_units(MAPPINGS) > 100


@pytest.mark.parametrize("code", ["10^9/L", "IU/mL", "x10*9/L", "μg/L", "mm Hg", "", "个/HP"])
def test_what_is_no_ucum_is_refused_with_its_line(mappings: Path, code: str) -> None:
    file = mappings / "units" / "ucum.csv"
    file.write_text(file.read_text("utf-8") + f'"{code}",a test\n', "utf-8")
    with pytest.raises(MappingError, match="is no UCUM code") as caught:
        ucum.check_units(mappings)
    assert caught.value.line == len(file.read_text("utf-8").splitlines())


def test_a_wrong_factor_is_refused_and_the_right_one_told(mappings: Path) -> None:
    file = mappings / "units" / "conversions.csv"
    file.write_text(file.read_text("utf-8") + "2345-7,g/L,mg/dL,10,a test\n", "utf-8")
    with pytest.raises(MappingError, match="is not that of UCUM, 100") as caught:
        ucum.check_units(mappings)
    assert caught.value.file.endswith("conversions.csv")


def test_between_mass_and_amount_ucum_has_no_factor() -> None:
    assert ucum.factor("mmol/L", "mg/dL") is None
    assert ucum.factor("L/L", "%") == Decimal(100)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.code)
@pytest.mark.parametrize("sent", FALSE_FRIENDS)
@pytest.mark.parametrize("form", ["{0}", "^{0}", "{0}^^UCUM", "{0}^{0}^UCUM", "X^Y^L^{0}^^UCUM"])
def test_a_false_friend_of_ucum_is_never_its_own_code(site: Site, sent: str, form: str) -> None:
    r"""`G/L` is gauss per litre and `K/uL` kelvin in UCUM: hospitals mean counts."""
    unit = site.units.resolve(split_field(form.format(sent.replace("^", "\\S\\")), STANDARD))
    assert unit is not None
    assert unit.code != sent
    assert unit.code == "" or unit.code in site.units.ucum


@given(st.text(alphabet="GKLTUmugkl/^*109x.%dHPfc个μ[]{}", min_size=1, max_size=8))
def test_whatever_is_sent_only_a_verified_code_is_ucum(sent: str) -> None:
    for form in (sent, f"^{sent}", f"{sent}^^UCUM"):
        unit = SITES[0].units.resolve(split_field(form, STANDARD))
        assert unit is None or unit.code == "" or (unit.code in SITES[0].units.ucum and ucum.is_ucum(unit.code))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("^umol/L", "umol/L"),
        ("^个/HP", "/[HPF]"),
        (r"^10\S\9/L", "10*9/L"),
        ("10^9/L", "10*9/L"),
        ("G/L", "10*9/L"),
        ("K/uL", "10*9/L"),
        ("[IU]/mL^international unit per milliliter^UCUM", "[IU]/mL"),
        ("uIU/ml", "u[IU]/mL"),
        ("gm/dl", "g/dL"),
        ("deg f", "[degF]"),
        ("mm(hg)", "mm[Hg]"),
    ],
)
def test_common_spellings_become_ucum(sent: str, code: str) -> None:
    unit = SITES[0].units.resolve(split_field(sent, STANDARD))
    assert unit is not None
    assert unit.code == code
