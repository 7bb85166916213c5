"""Ids of resources: derived from what names the resource in the world, never random."""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1
from typing import Any

NAMING = "https://fhir.tli-trial.example.org/NamingSystem"
"""Systems of the identifiers that identities give begin with it."""
NAMESPACE = bytes.fromhex("6f1c7c0e6f5b5e3b9d0a7d5f3f0c9a11")
"""Namespace of all ids (UUIDv5, RFC 9562 §5.5). Changing it changes every id of every store."""


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def resource_id(resource_type: str, system: str, value: str) -> str:
    """The id of the resource that this identifier names: UUIDv5 of type, system and value."""
    digest = _named(resource_type, system)()
    digest.update(value.encode())
    text = digest.digest()[:16].hex("-", 6)  # 4, 6 and 6 bytes
    return f"{text[:13]}-5{text[14:17]}-{_VARIANT[text[17]]}{text[18:]}"


def own_system(site: str, resource_type: str) -> str:
    """The system of the numbers that an identity without a system gives: `.../NamingSystem/fahzu-diagnostic-report`."""
    kind = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in resource_type)
    return f"{NAMING}/{site.lower()}{kind}"


def reference_to(resource_type: str, system: str, value: str) -> dict[str, str]:
    """A Reference to the resource that this identifier names, whether it is stored or not."""
    return {"reference": f"{resource_type}/{resource_id(resource_type, system, value)}"}


@lru_cache(maxsize=1_000)
def _named(resource_type: str, system: str) -> Callable[[], Any]:
    """What gives copies of the digest of all that stands before the value: each id goes on with one."""
    return sha1(NAMESPACE + f"{resource_type}|{system}|".encode()).copy  # noqa: S324  (UUIDv5 is made of SHA-1)
