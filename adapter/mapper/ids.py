"""Ids of resources: derived from what names the resource in the world, never random."""

import hashlib
from functools import lru_cache

NAMING = "https://fhir.tli-trial.example.org/NamingSystem"
"""Systems of the identifiers that identities give begin with it."""
NAMESPACE = bytes.fromhex("6f1c7c0e6f5b5e3b9d0a7d5f3f0c9a11")
"""Namespace of all ids (UUIDv5, RFC 9562 §5.5). Changing it changes every id of every store."""


@lru_cache(maxsize=100_000)
def resource_id(resource_type: str, system: str, value: str) -> str:
    """The id of the resource that this identifier names: UUIDv5 of type, system and value."""
    name = NAMESPACE + f"{resource_type}|{system}|{value}".encode()
    digest = bytearray(hashlib.sha1(name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
