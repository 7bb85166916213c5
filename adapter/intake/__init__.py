"""From bytes to an acknowledgement: check, store, commit, answer. Nothing is mapped here."""

from adapter.intake.http import HTTP, HttpLine
from adapter.intake.inventory import Inventory
from adapter.intake.late import hold_late_fragments
from adapter.intake.lines import Lines, Reload
from adapter.intake.mllp import EVERY_SITE, listen
from adapter.intake.receive import Answer, Intake, Origin
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
    "hold_late_fragments",
    "listen",
    "warm",
]
