"""How tests of converters are written: the raw v2 text in, the FHIR value out."""

from functools import cache
from pathlib import Path
from typing import Any

from adapter.hl7v2.message import Delimiters, split_field
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.sites import Site, load_sites, standard_site

MAPPINGS = Path(__file__).parents[2] / "mappings"
ER7 = Delimiters("|", "^", "~", "\\", "&", None)
OBX_VALUE = ("OBX-5", "OBX-2", "OBX-6", "OBX-3")
UCUM = "http://unitsofmeasure.org"


@cache
def site(code: str) -> Site:
    return standard_site(MAPPINGS) if code == "STANDARD" else load_sites(MAPPINGS)[code]


def one(name: str, raw: str, *, at: str, of: str = "FAHZU") -> Any:
    """A converter with one source, given the first repetition of a raw field."""
    return CONVERTERS[name].bind(site(of), (at,))(split_field(raw, ER7)[0])


def several(name: str, *raws: str, at: tuple[str, ...], of: str = "FAHZU") -> Any:
    """A converter with several sources, given whole raw fields."""
    return CONVERTERS[name].bind(site(of), at)(*[split_field(raw, ER7) for raw in raws])


def value(raw: str, kind: str, unit: str = "", code: str = "ANY", *, of: str = "FAHZU") -> Any:
    """OBX-value of OBX-5, OBX-2, OBX-6 and OBX-3."""
    return several("OBX-value", raw, kind, unit, code, at=OBX_VALUE, of=of)
