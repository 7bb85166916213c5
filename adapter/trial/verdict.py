"""What a rule says, beside what was reported. Both stay: neither is corrected by the other."""

from dataclasses import dataclass

from adapter.trial.record import Statement


@dataclass(frozen=True, slots=True)
class Verdict:
    """One derived fact.

    `value` is empty where the rule cannot be computed; `missing` then names what it lacks. `assumed` names what the
    rule asks for and the record never holds, taken as fulfilled. `rests_on` are references to resources.
    """

    rule: str
    value: str
    rests_on: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    reported: Statement | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether the reported answer is the computed one; None where one of them is not there."""
        return self.value == self.reported.text if self.value and self.reported else None
