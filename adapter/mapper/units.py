"""Units: from what a hospital writes to verified UCUM, and the conversions that the trial approves.

A unit goes through the spellings first and is UCUM only after them: `G/L` is gauss per litre in UCUM, `S` siemens.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path

from adapter.hl7v2.message import Field
from adapter.mapper.csv_lines import Row, read
from adapter.mapper.suggest import nearest

UCUM_COLUMNS = ("code", "source")
SPELLING_COLUMNS = ("sent", "ucum", "source")
CONVERSION_COLUMNS = ("target_code", "from", "to", "factor", "source")
CANONICAL_COLUMNS = ("target_code", "unit", "source")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as sent, and its UCUM code; `code` is empty where it is in no table.

    `repaired`: a `^` of the unit itself was sent as a delimiter (`10^9/L`, catalogue E8).
    """

    text: str
    code: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Conversion:
    """An approved conversion of one result: its value times `factor`, then in `unit`."""

    unit: str
    factor: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The units of one site. `canonical` is the unit of the trial for a result, by LOINC or tli-lab code."""

    ucum: frozenset[str]
    spellings: Mapping[str, str]
    conversions: Mapping[tuple[str, str], Conversion]
    canonical: Mapping[str, str]

    def resolve(self, field: Field) -> Unit | None:
        """The unit in a CWE field; None when the field is empty."""
        components = [component[0] for component in field[0]] if field else []
        text = "^".join(components).strip("^")
        if not text:
            return None
        for at in (0, 3):
            if components[at + 2 : at + 3] == ["UCUM"] and components[at] in self.ucum:
                return Unit(_readable(components, text), components[at])
        for candidate in (text, *components[:2]):
            key = normalised(candidate)
            code = self.spellings.get(key) or (key if key in self.ucum else "")
            if code:
                return Unit(text, code, repaired=candidate is text and len(components) > 1 and all(components[:2]))
        return Unit(_readable(components, text), "")


def load_units(folder: Path) -> Units:
    """What all sites share: `units/{ucum,units,conversions,canonical}.csv`.

    Raises:
        MappingError: with file and line; a code that is not in ucum.csv is refused.
    """
    ucum = frozenset(row["code"] for row in read(folder / "ucum.csv", UCUM_COLUMNS, key=("code",)))
    conversions: dict[tuple[str, str], Conversion] = {}
    for row in read(folder / "conversions.csv", CONVERSION_COLUMNS, key=("target_code", "from")):
        unit = Conversion(_known(row, "to", ucum), _factor(row))
        conversions[row["target_code"], _known(row, "from", ucum)] = unit
    rows = read(folder / "canonical.csv", CANONICAL_COLUMNS, key=("target_code",))
    canonical = {row["target_code"]: _known(row, "unit", ucum) for row in rows}
    for (target, _), conversion in conversions.items():
        canonical.setdefault(target, conversion.unit)
    return Units(ucum, _spellings(folder / "units.csv", ucum), conversions, canonical)


def load_site_units(file: Path, shared: Units) -> Units:
    """The shared units with the spellings of one site before them.

    Raises:
        MappingError: with file and line.
    """
    spellings = {**shared.spellings, **_spellings(file, shared.ucum)}
    return Units(shared.ucum, spellings, shared.conversions, shared.canonical)


@lru_cache(maxsize=1_000)
def normalised(text: str) -> str:
    """The spelling that tables are searched by: compatibility characters resolved (NFKC), no blanks."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _readable(components: list[str], text: str) -> str:
    return next((part for part in components[:2] if part), text)


def _spellings(file: Path, ucum: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in read(file, SPELLING_COLUMNS, key=("sent",)):
        key = normalised(row["sent"]).strip("^")
        if found.setdefault(key, _known(row, "ucum", ucum)) != row["ucum"]:
            raise row.error(f"{row['sent']} stands twice with two meanings")
    return found


def _known(row: Row, column: str, ucum: frozenset[str]) -> str:
    if row[column] not in ucum:
        raise row.error(f"{column}: {row[column]!r} is not in units/ucum.csv{nearest(row[column], ucum)}")
    return row[column]


def _factor(row: Row) -> Decimal:
    try:
        factor = Decimal(row["factor"])
    except InvalidOperation:
        raise row.error(f"factor {row['factor']!r} is no number") from None
    if not factor.is_finite() or factor <= 0:
        raise row.error("factor must be greater than zero")
    # 100 as 1E+2: the product then keeps the number of digits that were sent
    return factor.normalize()
