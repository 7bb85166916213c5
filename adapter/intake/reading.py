"""What is known of a message before it is stored."""

from dataclasses import dataclass, field

from adapter.errors import Refusal
from adapter.hl7v2.ack import Fault
from adapter.hl7v2.continuation import Fragment
from adapter.hl7v2.message import Message
from adapter.hl7v2.parse import NO_HEADER, Header
from adapter.mapper.policy import IntakePolicy
from adapter.mapper.sites import Site

AGREED_BY_DEFAULT = IntakePolicy()
LONGEST = 199
"""Characters of MSH-10 in the newest versions, and of every text of MSH that the inbox keeps beside the bytes."""

_ACKNOWLEDGEMENTS = frozenset({"ACK", "MCF"})


@dataclass(slots=True)
class Reading:
    """What is known of a message, up to the check that refused it, if one did.

    `flags` are the words of docs/states.md, `warnings` what the sender is told of them where it wants to hear it.
    `sequence` is MSH-13 where the site follows the protocol of sequence numbers.
    """

    head: Header = NO_HEADER
    type: str = ""
    event: str = ""
    version: str = ""
    site: Site | None = None
    message: Message | None = None
    structure: str = ""
    state: str = "received"
    refusal: Refusal | None = None
    fragment: Fragment | None = None
    sequence: int | None = None
    flags: list[str] = field(default_factory=list[str])
    warnings: list[Refusal | Fault] = field(default_factory=list[Refusal | Fault])

    @property
    def is_acknowledgement(self) -> bool:
        """Whether the message is itself an answer."""
        return self.type in _ACKNOWLEDGEMENTS

    @property
    def policy(self) -> IntakePolicy:
        """What has been agreed with the sender."""
        return self.site.intake if self.site else AGREED_BY_DEFAULT

    def flag(self, word: str, warning: Refusal | None = None) -> None:
        """Note what is odd about the message and refuses nothing."""
        self.flags.append(word)
        if warning:
            self.warnings.append(warning)
