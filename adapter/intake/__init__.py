"""From bytes to an acknowledgement: check, store, commit, answer. Nothing is mapped here."""

from adapter.intake.http import HTTP, HttpLine
from adapter.intake.late import hold_late_fragments
from adapter.intake.mllp import EVERY_SITE, listen
from adapter.intake.receive import Answer, Intake, Origin
from adapter.intake.warm import warm

__all__ = ["EVERY_SITE", "HTTP", "Answer", "HttpLine", "Intake", "Origin", "hold_late_fragments", "listen", "warm"]
