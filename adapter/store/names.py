"""What a resource is called: its type and its id."""

from collections.abc import Mapping
from typing import Any

Name = tuple[str, str]
"""Type and id."""


def name_of(resource: Mapping[str, Any]) -> Name:
    """The name of a resource, or of what is said of one."""
    return resource["resourceType"], resource["id"]
