"""What converters of other projects make of the messages of the corpus, fact by fact, beside what we make.

A fact is a value at an element: `Patient.name.family`, `EVERYMAN`. Ids, references, narrative, metadata and names of
systems are no facts: every converter chooses its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

SAME, ELSEWHERE, ABSENT = "same element", "elsewhere", "absent"
NO_FACTS = frozenset({"id", "meta", "text", "reference", "fullUrl", "resourceType", "system", "display", "url", "div"})
OTHERS_ONLY = frozenset({"MessageHeader", "Provenance", "Bundle"})
"""Resources about the message itself, which stays in the log here with everything that is known of it."""

_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")


@dataclass(frozen=True, slots=True)
class Fact:
    """One value at one element of one type of resource, as they write it."""

    element: str
    value: str


def facts(resource: Mapping[str, Any]) -> Iterator[Fact]:
    """Everything that a resource says."""
    kind = resource["resourceType"]
    for name, value in resource.items():
        if name not in NO_FACTS:
            yield from _below(f"{kind}.{name}", value)


def _below(path: str, value: Any) -> Iterator[Fact]:
    if isinstance(value, dict):
        path += _which(value) if path.endswith("xtension") else ""
        for name, part in value.items():
            # The text of a concept or a name is a fact, the narrative of a resource is none.
            if name not in NO_FACTS or (name == "text" and isinstance(part, str)):
                yield from _below(f"{path}.{name}", part)
    elif isinstance(value, list):
        for item in value:
            yield from _below(path, item)
    elif value not in (None, ""):
        yield Fact(path, str(value).strip())


def _which(extension: Mapping[str, Any]) -> str:
    """The end of the extension's URL, so that a verdict can be about one extension: `Patient.extension(race)`."""
    return f"({str(extension.get('url', '')).rpartition('/')[2]})"


class Ours:
    """What our resources say, to be asked for the facts of others."""

    def __init__(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """Collect the facts of one message."""
        self._at: dict[str, set[str]] = {}
        self._everywhere: set[str] = set()
        for resource in resources:
            for fact in facts(resource):
                forms = _forms(fact.value)
                self._at.setdefault(fact.element, set()).update(forms)
                self._everywhere |= forms
                self._everywhere |= {word.casefold() for word in fact.value.split()}
            self._everywhere |= {one.casefold() for one in _displays(resource)}

    def judge(self, fact: Fact) -> str:
        """Whether we say the same, and where."""
        forms = _forms(fact.value)
        if forms & self._at.get(fact.element, set()):
            return SAME
        return ELSEWHERE if forms & self._everywhere else ABSENT


def _displays(value: Any) -> Iterator[str]:
    """Names of people and places stand in the display of a reference here."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "display" and isinstance(part, str):
                yield part
                yield from part.split()
            else:
                yield from _displays(part)
    elif isinstance(value, list):
        for item in value:
            yield from _displays(item)


def _forms(value: str) -> set[str]:
    """The value in forms in which equal ones are equal: numbers as numbers, times as instants and as local minutes."""
    text = " ".join(value.casefold().split())
    found = {text}
    if _TIME.fullmatch(value):
        found.add(value[:16])
        if len(value) > 19 and value[-1:] in "Z0123456789" and ("Z" in value or value[-6] in "+-"):
            found.add(datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="minutes"))
        return found
    with suppress(InvalidOperation):
        found.add(f"{Decimal(text).normalize():f}")
    return found
