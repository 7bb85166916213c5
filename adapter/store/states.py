"""A resource in the course of a batch of messages, and the versions that the batch makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from adapter.fhir.json import canonical, dumps, loads
from adapter.store.database import instant
from adapter.store.merge import Mapped, content
from adapter.store.names import Name

SOURCE = "https://fhir.tli-trial.example.org/source"
"""Root of meta.source: the site, and after `#` the number of the message in the inbox."""

MILLISECOND = 1000
NEW, CHANGED, REMOVED = "new", "changed", "removed"

COLUMNS = "key, resource_type, id, version, last_updated, digest, as_of, patient_id, deleted"
"""Of a stored resource, as `State.of` takes them; its body follows, or None."""


@dataclass(frozen=True, slots=True)
class Put:
    """What one message says of one resource."""

    mapped: Mapped
    site: str
    message_id: int


@dataclass(frozen=True, slots=True)
class Version:
    """A version that this batch makes."""

    version: int
    last_updated: int
    digest: bytes
    site: str
    patient_id: str | None
    message_id: int
    deleted: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What a batch makes of a resource: `new`, `changed` or `removed`; the contents are without type and id."""

    name: Name
    kind: str
    key: int
    version: int
    patient_id: str | None
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(slots=True)
class State:
    """A resource in the course of a batch. `content` and `stored`, as it was before, are None where it was not read.

    One that is made `anew` begins from nothing, and has one version at the end. `last` is the message that changed it.
    """

    name: Name
    key: int = 0
    stored_version: int = 0
    version: int = 0
    last_updated: int = 0
    digest: bytes = b""
    as_of: Any = None
    stored_as_of: str = ""
    patient_id: str | None = None
    stored: dict[str, Any] | None = None
    content: dict[str, Any] | None = None
    was_deleted: bool = False
    anew: bool = False
    last: Put | None = None
    versions: list[Version] = field(default_factory=list[Version])

    @classmethod
    def of(cls, row: Sequence[Any], *, whole: bool, anew: bool = False) -> "State":
        """What is stored (`COLUMNS` and the body), where `whole` says how the type is merged now."""
        key, kind, number, version, last_updated, digest, as_of, patient, deleted, body = row
        state = cls((kind, number), key, version, version, last_updated, bytes(digest), None, as_of, anew=anew)
        state.was_deleted = bool(deleted)
        if deleted:
            state.stored = {}
        elif body is not None:
            state.stored = content(loads(bytes(body)))
        if not (anew or deleted):
            state.patient_id, state.content, stated = patient, state.stored, loads(as_of)
            # Where merge.yaml was changed since, what is stored gives way to any statement.
            state.as_of = stated if isinstance(stated, list) is whole else None
        return state

    @property
    def change(self) -> Change | None:
        """What the batch makes of it; None where that is nothing."""
        if not self.versions:
            return None
        made, was = self.versions[-1], bool(self.stored_version) and not self.was_deleted
        kind = REMOVED if made.deleted else CHANGED if was else NEW
        now = {} if made.deleted else self.content or {}
        return Change(self.name, kind, self.key, made.version, self.patient_id, self.stored or {}, now)

    def resource(self) -> dict[str, Any]:
        """The resource as it is now, without `meta` of the store."""
        return {"resourceType": self.name[0], "id": self.name[1], **(self.content or {})}

    def make(self, put: Put, now: int) -> None:
        """Make a version if it is another resource now."""
        rest = dict(self.content or {})
        meta: dict[str, Any] = rest.pop("meta", {})
        text = canonical(rest)
        digest = blake2b(text + canonical(meta) if meta else text, digest_size=16).digest()
        if digest == self.digest:
            return
        head = self._head(put.site, put.message_id, now, meta=meta)
        body = head if text == b"{}" else head[:-1] + b"," + text[1:]
        self._add(digest, put.site, put.message_id, body)

    def remove(self, site: str, message_id: int, now: int) -> None:
        """Make a version that says that it is no more."""
        self.content, self.as_of = None, None
        body = self._head(site, message_id, now, meta={})
        self._add(b"", site, message_id, body, deleted=True)

    def _head(self, site: str, message_id: int, now: int, *, meta: dict[str, Any]) -> bytes:
        """Count on, and write type, id and `meta`."""
        self.version += 1
        self.last_updated = max(now, self.last_updated + MILLISECOND)
        meta = {
            **meta,
            "versionId": str(self.version),
            "lastUpdated": _instant(self.last_updated),
            "source": f"{SOURCE}/{site}#{message_id}",
        }
        return dumps({"resourceType": self.name[0], "id": self.name[1], "meta": meta})

    def _add(self, digest: bytes, site: str, message_id: int, body: bytes, *, deleted: bool = False) -> None:
        self.digest = digest
        made = (self.version, self.last_updated, digest, site, self.patient_id, message_id, deleted, body)
        self.versions.append(Version(*made))


@lru_cache(maxsize=256)
def _instant(value: int) -> str:
    return instant(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
