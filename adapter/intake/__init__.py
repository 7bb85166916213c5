"""From bytes to an acknowledgement: check, store, commit, answer. Nothing is mapped here."""

from adapter.intake.mllp import listen
from adapter.intake.receive import Answer, Intake
from adapter.intake.warm import warm

__all__ = ["Answer", "Intake", "listen", "warm"]
