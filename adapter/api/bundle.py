"""Bundles, put together from stored bytes: a resource is not read again to be sent."""

from collections.abc import Iterable, Sequence
from typing import Any

from adapter.fhir import json


def bundle(kind: str, entries: Sequence[bytes], *, links: Iterable[tuple[str, str]], total: int | None = None) -> bytes:
    """A Bundle of type `kind` with entries that are JSON already.

    Args:
        kind: `searchset` or `history`.
        entries: made by `entry`.
        links: relation and address.
        total: left out when not known.
    """
    head: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    opened = json.dumps(head)[:-1]
    # An empty array is not valid JSON of FHIR.
    return b"%b%b}" % (opened, b',"entry":[%b]' % b",".join(entries) if entries else b"")


def entry(resource: bytes | None, *, full_url: str | None, **others: Any) -> bytes:
    """One entry; `others` are its further elements, such as `search`."""
    head = {"fullUrl": full_url} if full_url else {}
    opened = json.dumps(head | others)[:-1]
    return b'%b,"resource":%b}' % (opened, resource) if resource is not None else opened + b"}"
