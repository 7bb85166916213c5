"""What the trial's facts are called in FHIR resources (mappings/trial/terms.yaml). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field

from adapter.errors import MappingError
from adapter.trial.checked import Part, read

Code = tuple[str, str]
"""System and code."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Codes, systems and extensions, both ways.

    `measured` and `stated` give the trial's key of a code, `units` the unit (UCUM) that a key's values must have,
    `drugs` the name of a drug's code; `chemotherapy` are names of drugs.
    """

    systems: Mapping[str, str]
    extensions: Mapping[str, str]
    measured: Mapping[Code, str]
    units: Mapping[str, str]
    stated: Mapping[Code, str]
    drugs: Mapping[Code, str]
    chemotherapy: frozenset[str]
    infusion: Code
    donor_prefix: str
    apheresis: Code
    aliquot: Code
    days_of_a_course: int
    zone: ZoneInfo


class _Measurement(Part):
    codes: list[str]
    unit: str


class _File(Part):
    systems: dict[str, str]
    extensions: dict[str, str]
    measurements: dict[str, _Measurement]
    statements: dict[str, list[str]]
    drugs: dict[str, str]
    chemotherapy: list[str]
    infusion: str
    donor_prefix: str = Field(alias="donor-prefix", min_length=1)
    apheresis: str
    aliquot: str
    days: int = Field(alias="days-of-a-course", ge=1)
    zone: str = Field(alias="time-zone")


def load_terms(mappings: Path) -> Terms:
    """Read trial/terms.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    file = mappings / "trial" / "terms.yaml"
    said = read(file, _File)
    try:
        return _terms(said)
    except (KeyError, ValueError) as error:
        raise MappingError(f"{error.args[0]!r} is not known here", file=file, line=1) from None


def _terms(said: _File) -> Terms:
    def code(text: str) -> Code:
        system, _, value = text.partition("|")
        return said.systems[system], value

    def keys(rows: Mapping[str, Iterable[str]]) -> dict[Code, str]:
        return {code(text): key for key, texts in rows.items() for text in texts}

    unknown = set(said.chemotherapy) - set(said.drugs)
    if unknown:
        raise ValueError(min(unknown))
    return Terms(
        said.systems,
        said.extensions,
        keys({key: one.codes for key, one in said.measurements.items()}),
        {key: one.unit for key, one in said.measurements.items()},
        keys(said.statements),
        {code(text): name for name, text in said.drugs.items()},
        frozenset(said.chemotherapy),
        code(said.infusion),
        said.donor_prefix,
        code(said.apheresis),
        code(said.aliquot),
        said.days,
        ZoneInfo(said.zone),
    )
