"""Of many resources those that can tell a validator something new.

Bindings and formats are about one element: each of its codes, and each form of its texts and times, is kept once.
Invariants are about which elements stand together: each set of elements is kept once. Numbers of patients and words of
a report are nothing new; a time without a zone is.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from adapter.fhir import json

BY_VALUE = frozenset(
    {
        *("resourceType", "system", "url", "code", "status", "use", "type", "intent", "priority", "gender", "category"),
        *("criticality", "comparator", "contentType", "docStatus", "unit", "language", "mode", "actuality"),
    }
)
"""Elements that are bound to value sets, or that name one: their text is a code wherever it stands."""
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")


def telling(resources: Iterable[bytes]) -> list[bytes]:
    """The resources that have an element with a new form or code, or a new set of elements."""
    forms, sets, kept = set[str](), set[frozenset[str]](), list[bytes]()
    for raw in resources:
        resource = json.loads(raw)
        found = set(_of_object(resource["resourceType"], resource))
        elements = frozenset(form.partition("=")[0] for form in found)
        if found - forms or elements not in sets:
            kept.append(raw)
            forms |= found
            sets.add(elements)
    return kept


def _of_object(path: str, value: Mapping[str, Any]) -> Iterator[str]:
    for name, part in value.items():
        if name not in {"id", "display"}:
            yield from _of(f"{path}.{name}", name, part)


def _of(path: str, name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _of_object(path, value)
    elif isinstance(value, list):
        for item in value:
            yield from _of(path, name, item)
        yield f"{path}*{min(len(value), 2)}"
    elif isinstance(value, str):
        yield f"{path}={_FORMS.get(name, _form)(value)}"
    else:
        yield f"{path}={type(value).__name__}"


def _form(text: str) -> str:
    """`2024-03-15T10:00:00+08:00` gives `0-0-0a0:0:0+0:0`; of a long text the beginning is enough."""
    return _DIGITS.sub("0", _LETTERS.sub("a", text[:40]))


def _target(text: str) -> str:
    return text.rpartition("/")[0] or "#"


_FORMS: dict[str, Callable[[str], str]] = {**dict.fromkeys(BY_VALUE, str), "reference": _target}
