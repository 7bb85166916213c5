"""A number that was given to another person (catalogue D23), and what is said of nobody in particular (D24).

Of name, birth date and sex, two that differ hold the message before anything is overwritten or attached: also a
result, which is no authority for the person but would be filed under a stranger. What is absent, unknown or a
placeholder differs from nothing; names are compared only where both are written in the same script.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter.judge.verdict import Asked, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import DemographicConflict
from adapter.mapper.mapped import Mapped
from adapter.mapper.placeholders import Placeholders
from adapter.store.repair import SAME_PERSON

PLACEHOLDER = "placeholder"
_ENOUGH = 2
_IDEOGRAPHS = 0x2E80  # where the scripts of China, Japan and Korea begin
_SEXES = frozenset({"male", "female"})


def rule(placeholders: Placeholders) -> Rule:
    """The rule; `placeholders` are names and dates that mean nobody."""

    def judge(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
        for one in _persons(asked):
            yield from _placeholders(one.resource, placeholders)
            stored = facts.content(("Patient", one.resource["id"]))
            if stored is None:
                continue
            differing = [what for what, differs in _COMPARED.items() if differs(one.resource, stored, placeholders)]
            if len(differing) >= _ENOUGH:
                text = f"{' and '.join(differing)} are not those of the stored patient of this number"
                yield Hold(DemographicConflict(text, path="PID-3"), answer=SAME_PERSON)
                return

    return Rule(_needs, judge)


def _needs(asked: Asked) -> Iterable[Name]:
    return [("Patient", one.resource["id"]) for one in _persons(asked)]


def _persons(asked: Asked) -> list[Mapped]:
    return [one for one in asked.of("Patient") if any(name in one.resource for name in ("name", "birthDate", "gender"))]


def _placeholders(patient: Mapping[str, Any], placeholders: Placeholders) -> Iterator[Found]:
    if any(_means_nobody(name, placeholders) for name in patient.get("name", ())):
        yield Found("PID-5", PLACEHOLDER, "the name means nobody; it is not used to compare")
    if patient.get("birthDate", "") in placeholders.birth_dates:
        yield Found("PID-7", PLACEHOLDER, "the date of birth means none; it is not used to compare")


def _names_differ(one: Mapping[str, Any], other: Mapping[str, Any], placeholders: Placeholders) -> bool:
    if one.get("name") == other.get("name"):
        return False  # as nearly always
    ours, theirs = _comparable(one, placeholders), _comparable(other, placeholders)
    common = ours.keys() & theirs.keys()
    return bool(common) and not any(ours[script] & theirs[script] for script in common)


def _comparable(patient: Mapping[str, Any], placeholders: Placeholders) -> dict[str, set[str]]:
    """The names by script, with their words in one order: family and given names are often sent the other way round."""
    found: dict[str, set[str]] = {}
    for name in patient.get("name", ()):
        text = " ".join(_words(name))
        latin = all(ord(letter) < _IDEOGRAPHS for letter in text)
        plain = " ".join(sorted(text.split())) if latin else "".join(text.split())
        if plain and not _means_nobody(name, placeholders):
            found.setdefault("latin" if latin else "ideographic", set()).add(plain)
    return found


def _means_nobody(name: Mapping[str, Any], placeholders: Placeholders) -> bool:
    words = _words(name)
    return any(placeholders.is_name(one) for one in (*words, " ".join(words)) if one)


def _words(name: Mapping[str, Any]) -> list[str]:
    words = [name.get("family", ""), *name.get("given", ())]
    said = words if any(words) else [name.get("text", "")]
    return [unicodedata.normalize("NFKC", one).casefold() for one in said]


def _births_differ(one: Mapping[str, Any], other: Mapping[str, Any], placeholders: Placeholders) -> bool:
    ours, theirs = one.get("birthDate", ""), other.get("birthDate", "")
    if not ours or not theirs or {ours, theirs} & placeholders.birth_dates:
        return False
    shorter = min(len(ours), len(theirs))
    return ours[:shorter] != theirs[:shorter]


def _sexes_differ(one: Mapping[str, Any], other: Mapping[str, Any], _: Placeholders) -> bool:
    return {one.get("gender"), other.get("gender")} >= _SEXES


_COMPARED = {"name": _names_differ, "birth date": _births_differ, "sex": _sexes_differ}
