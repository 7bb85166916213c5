"""UCUM units in base units, so that quantities of different units can be compared.

Factors are fractions: 5 g/dL and 50 g/L are the same number, not nearly the same.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from adapter.fhir import json

SYSTEM = "http://unitsofmeasure.org"

_LONGEST = 60
_DEEPEST = 4
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
_TOKEN = re.compile(r"[./()]|(?:\[[^\]]*\]|[^./()\[\]\s])+")
_SIMPLE = re.compile(r"(?P<number>[1-9]\d{0,8})|(?P<atom>.*?[^\d+-])(?P<power>[+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Unit:
    """So many of the base units in `text` (`g.m-3`; `1` where there are none)."""

    factor: Fraction
    powers: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """The base units as UCUM writes them, always in the same order."""
        return ".".join(f"{base}{power if power != 1 else ''}" for base, power in self.powers) or "1"

    def times(self, other: "Unit", power: int) -> "Unit":
        """Multiplied by a power of another unit."""
        powers = dict(self.powers)
        for base, of in other.powers:
            powers[base] = powers.get(base, 0) + of * power
        kept = tuple(sorted((base, of) for base, of in powers.items() if of))
        return Unit(self.factor * other.factor**power, kept)


_ONE = Unit(Fraction(1), ())


@lru_cache(maxsize=1_000)
def unit(code: str) -> Unit | None:
    """A UCUM code (case-sensitive) in base units.

    Returns:
        None where it is no UCUM, or a special unit such as `Cel`, which no factor leads to another.
    """
    plain = _ANNOTATION.sub("", code)
    if not code or len(code) > _LONGEST or plain.count("(") > _DEEPEST:
        return None
    tokens = _TOKEN.findall(plain)
    if "".join(tokens) != plain:
        return None
    found, rest = _term(tokens)
    return None if rest else found


def _term(tokens: list[str]) -> tuple[Unit | None, list[str]]:
    """A term as far as it goes, and what follows it; operators are worked from left to right (UCUM §7)."""
    found, power = _ONE, 1
    while tokens and tokens[0] != ")":
        first, tokens = tokens[0], tokens[1:]
        if first in "./":
            power = 1 if first == "." else -1
            continue
        if first == "(":
            part, tokens = _term(tokens)
            if tokens[:1] != [")"]:
                return None, []
            tokens = tokens[1:]
        else:
            part = _simple(first)
        if part is None:
            return None, []
        found = found.times(part, power)
    return found, tokens


def _simple(text: str) -> Unit | None:
    match = _SIMPLE.fullmatch(text)
    if match is None:
        return None
    if match["number"]:
        return Unit(Fraction(match["number"]), ())
    atom = _atom(match["atom"])
    return atom and _ONE.times(atom, int(match["power"] or 1))


@cache
def _table() -> Any:
    return json.loads(Path(__file__).with_name("ucum.json").read_bytes())


@lru_cache(maxsize=1_000)
def _atom(symbol: str) -> Unit | None:
    units = _table()["units"]
    if symbol in units:
        _, value, of = units[symbol]
        base = _defined(of) if of else Unit(Fraction(1), ((symbol, 1),))
        return base and Unit(Fraction(value) * base.factor, base.powers)
    for length in (1, 2):
        prefix, rest = _table()["prefixes"].get(symbol[:length]), units.get(symbol[length:])
        if prefix and rest and rest[0] and (stem := _atom(symbol[length:])):
            return Unit(Fraction(prefix) * stem.factor, stem.powers)
    return None


def _defined(of: str) -> Unit | None:
    return _ONE if of == "1" else unit(of)
