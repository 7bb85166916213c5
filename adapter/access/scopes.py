"""SMART scopes of system clients, as text and as rights (SMART App Launch 2.2, Scopes and Launch Context)."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

_SCOPE = re.compile(r"system/([A-Z][A-Za-z]+|\*)\.([a-z*]+)(?:\?(.+))?")
_V2 = re.compile(r"c?r?u?d?s?")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


class NotAScope(ValueError):
    """A text is no scope of a system client."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: rights on a type (`*`: every type), limited by a search where it is granular."""

    resource_type: str
    rights: frozenset[str]
    search: tuple[tuple[str, str], ...] = ()

    def covers(self, resource_type: str) -> bool:
        """Whether it speaks of this type."""
        return self.resource_type in {"*", resource_type}


def parse(text: str) -> tuple[Scope, ...]:
    """Read scopes with blanks between them; v1 `.read` is v2 `.rs`, `.write` is `.cud`.

    Raises:
        NotAScope: one is not `system/Type.cruds`, its letters in this order, or has a filter other than `category`
            and `code`: user/ and patient/ need a person, whom a hospital's engine has not.
    """
    return tuple(_one(word) for word in text.split())


def _one(text: str) -> Scope:
    match = _SCOPE.fullmatch(text)
    letters = _V1.get(match[2], match[2]) if match else ""
    if match is None or not letters or not _V2.fullmatch(letters):
        raise NotAScope("a scope is system/Type.cruds, with some of these letters in this order")
    search = tuple(parse_qsl(match[3] or ""))
    if bool(match[3]) != bool(search) or any(name not in {"category", "code"} for name, _ in search):
        raise NotAScope("a scope is limited by category= or code=, and by nothing else")
    return Scope(match[1], frozenset(letters), search)
