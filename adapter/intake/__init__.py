"""From bytes to an acknowledgement: check, store, commit, answer. Nothing is mapped here."""

from adapter.intake.accept import accept_held, accept_order
from adapter.intake.folder import WatchedFolder, watching
from adapter.intake.given import receive_made
from adapter.intake.http import HTTP, HttpLine
from adapter.intake.inventory import Inventory
from adapter.intake.late import hold_late_fragments
from adapter.intake.lines import Lines, Reload
from adapter.intake.mllp import EVERY_SITE, listen
from adapter.intake.origin import Answer, Origin
from adapter.intake.receive import Intake
from adapter.intake.warm import warm

__all__ = [
    "EVERY_SITE",
    "HTTP",
    "Answer",
    "HttpLine",
    "Intake",
    "Inventory",
    "Lines",
    "Origin",
    "Reload",
    "WatchedFolder",
    "accept_held",
    "accept_order",
    "hold_late_fragments",
    "listen",
    "receive_made",
    "warm",
    "watching",
]
