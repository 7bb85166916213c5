"""From bytes to an acknowledgement: check, store, commit, answer. Nothing is mapped here."""

from adapter.intake.mllp import listen
from adapter.intake.receive import Answer, Intake

__all__ = ["Answer", "Intake", "listen"]
