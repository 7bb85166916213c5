"""Ids of resources: derived from what names the resource in the world, never random."""

import hashlib

NAMESPACE = bytes.fromhex("6f1c7c0e6f5b5e3b9d0a7d5f3f0c9a11")
"""Namespace of all ids (UUIDv5, RFC 9562 §5.5). Changing it changes every id of every store."""


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def resource_id(resource_type: str, system: str, value: str) -> str:
    """The id of the resource that this identifier names: UUIDv5 of type, system and value."""
    name = NAMESPACE + f"{resource_type}|{system}|{value}".encode()
    text = hashlib.sha1(name, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
