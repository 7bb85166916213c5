"""The units under mappings/ read by an independent reader of UCUM, which is asked by `adapter check` and tests alone.

At run time a unit is UCUM when it stands in units/ucum.csv. That each of these is UCUM, and that each conversion has
the right factor, is what is checked here.
"""

import importlib.util
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from adapter.errors import MappingError
from adapter.mapper.csv_lines import Row, read
from adapter.mapper.units import CONVERSION_COLUMNS, UCUM_COLUMNS

_TOLERANCE = Decimal("1e-9")


def available() -> bool:
    """Whether the reader (package ucumvert, of the development dependencies) is installed."""
    return importlib.util.find_spec("ucumvert") is not None


def check_units(mappings: Path) -> int:
    """Check every UCUM code, and the factor of every conversion between units of the same dimension.

    Returns:
        How many codes were checked.

    Raises:
        MappingError: the first code that is no UCUM, or factor that is wrong, with file and line.
    """
    codes = read(mappings / "units" / "ucum.csv", UCUM_COLUMNS, key=("code",))
    for row in codes:
        if not is_ucum(row["code"]):
            raise row.error(f"{row['code']} is no UCUM code")
    for row in read(mappings / "units" / "conversions.csv", CONVERSION_COLUMNS, key=("target_code", "from")):
        if problem := _wrong(row):
            raise problem
    return len(codes)


def is_ucum(code: str) -> bool:
    """Whether UCUM has such a unit (its grammar has `*` for powers of ten and no `^`, which the reader forgives)."""
    if not code or not code.isascii() or "^" in code or any(sign.isspace() for sign in code):
        return False
    parse, invalid = _parser()
    try:
        parse(code)
    except invalid:
        return False
    return True


def factor(one: str, other: str) -> Decimal | None:
    """By what a value in one unit is multiplied to be in the other; None where their dimensions differ."""
    pint, registry = importlib.import_module("pint"), _registry()
    try:
        return Decimal(str(registry.from_ucum(one).to(registry.from_ucum(other)).magnitude))
    except pint.DimensionalityError:
        return None


def _wrong(row: Row) -> MappingError | None:
    right, said = factor(row["from"], row["to"]), Decimal(row["factor"])
    if right is None or abs(right - said) <= _TOLERANCE * right:
        return None  # between dimensions (mass and amount of substance) UCUM has no factor
    return row.error(f"factor {said} from {row['from']} to {row['to']} is not that of UCUM, {right.normalize():f}")


@cache
def _parser() -> tuple[Callable[[str], Any], type[Exception]]:
    ucumvert: Any = importlib.import_module("ucumvert")
    return ucumvert.get_ucum_parser().parse, importlib.import_module("lark").exceptions.LarkError


@cache
def _registry() -> Any:
    ucumvert: Any = importlib.import_module("ucumvert")
    return ucumvert.PintUcumRegistry()
