"""Identity events: a message that says two numbers are one, or that something belongs to another patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MERGE, CHANGE, LINK, UNLINK, MOVE = KINDS = ("merge", "change", "link", "unlink", "move")
"""`merge`: the source is retired, the target survives. `change`: the old number becomes the new one. `link`, `unlink`:
both stay. `move`: what is of the source belongs to the target from now on."""


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """What one message says of two identities; `target_id` survives.

    Of a `move`, source and target are the Patients, and `moved` is what goes from one to the other, such as
    `Encounter/…`; empty where everything goes. `path` is where the source stands: `MRG[2]-1`, `target_path` the target.
    """

    kind: str
    resource_type: str
    source_id: str
    target_id: str
    source: Mapping[str, Any]
    target: Mapping[str, Any]
    order: str
    path: str
    target_path: str
    moved: str = ""
