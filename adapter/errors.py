"""The error tree. Every leaf knows its answer, its code, its HTTP status and who mends it.

    AdapterError
    ├── ConfigurationError            the start is refused
    │   ├── DatabaseInUse             … another process has the database
    │   └── MappingError              … with file and line
    ├── StorageUnavailable            our own transient fault: no acknowledgement
    │   ├── StorageFull               … no room: intake closes its doors until there is
    │   └── StorageBroken             … that does not pass: the process stops
    ├── Refusal                       a message is answered AE/AR (CE/CR) and kept, as `rejected` or in another `state`
    │   ├── HeaderRefusal             AR: the MSH segment itself
    │   └── ContentRefusal            AE: what follows it
    ├── Held                          acknowledged, kept, waits for a person
    └── RequestError                  a request over HTTP is answered with an OperationOutcome (request_errors.py)

Condition codes are those of HL7 table 0357; `code` is our own, stable, and has its row in docs/states.md. More leaves
stand in protocol_errors.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


class AdapterError(Exception):
    """Root of everything the adapter raises on purpose."""

    code: ClassVar[str] = "H2F-0000"
    mender: ClassVar[str] = "administrator of the adapter"

    def __init__(self, text: str) -> None:
        """Keep the text; it never contains a value of a message."""
        super().__init__(text)
        self.text = text


class ConfigurationError(AdapterError):
    """The program cannot start with what it was given."""

    code = "H2F-1000"


class DatabaseInUse(ConfigurationError):
    """Another process has the database: the running program, as a rule (F13)."""

    code = "H2F-1002"


class MappingError(ConfigurationError):
    """A file of mappings/ or profiles/ is wrong."""

    code = "H2F-1001"
    mender = "analyst who edits mappings/"

    def __init__(self, text: str, *, file: Path | str, line: int = 0) -> None:
        """Name the file and, where known, the line (1-based)."""
        self.file, self.line = str(file), line
        super().__init__(f"{self.file}:{line}: {text}" if line else f"{self.file}: {text}")


class StorageUnavailable(AdapterError):
    """Our own storage failed: the sender gets no answer and sends again."""

    code = "H2F-1100"


class StorageFull(StorageUnavailable):
    """The disk is full: nothing is received until there is room again (F6)."""

    code = "H2F-1101"


class StorageBroken(StorageUnavailable):
    """The disk or the file is damaged: the process stops, and acknowledges nothing more (F8, F11)."""

    code = "H2F-1102"


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a message: segment, its occurrence, field, component (ERR-2, ERL data type)."""

    segment: str
    occurrence: int = 1
    field: int = 0
    component: int = 0

    def __str__(self) -> str:
        """As people write it: `OBX[3]-5.1`."""
        text = self.segment if self.occurrence == 1 else f"{self.segment}[{self.occurrence}]"
        text += f"-{self.field}" if self.field else ""
        return text + (f".{self.component}" if self.component else "")


class Refusal(AdapterError):
    """A message is refused: it is stored as `rejected` and answered with `ack`."""

    ack: ClassVar[str] = "AE"
    condition: ClassVar[str] = "207"
    condition_since_29: ClassVar[str] = ""
    state: ClassVar[str] = "rejected"
    default_location: ClassVar[Location | None] = None
    mender = "sending hospital"

    def __init__(self, text: str, *, at: Location | None = None) -> None:
        """Text for people (no values of the message), and the place."""
        super().__init__(text)
        self.at = at or self.default_location


class HeaderRefusal(Refusal):
    """AR: refused for what MSH says (HL7 v2 chapter 2, table 0008)."""

    ack = "AR"


class ContentRefusal(Refusal):
    """AE: refused for its content; sending the same bytes again is of no use."""


class NoHeader(HeaderRefusal):
    """The payload does not begin with MSH (catalogue B1)."""

    code, condition, default_location = "H2F-2001", "100", Location("MSH")


class HeaderTooShort(HeaderRefusal):
    """MSH ends before its encoding characters (B2)."""

    code, condition, default_location = "H2F-2002", "101", Location("MSH", field=2)


class BadDelimiters(HeaderRefusal):
    """MSH-2 repeats a character or holds letters or controls (B5)."""

    code, condition, default_location = "H2F-2003", "102", Location("MSH", field=2)


class MissingHeaderField(HeaderRefusal):
    """A required field of MSH is empty (B6, B11, B22)."""

    code, condition = "H2F-2004", "101"


class UnsupportedType(HeaderRefusal):
    """Nobody has said what to do with this message type (B7, B33)."""

    code, condition, default_location = "H2F-2005", "200", Location("MSH", field=9, component=1)


class UnsupportedEvent(HeaderRefusal):
    """The type is known, this trigger event is not (B8)."""

    code, condition, default_location = "H2F-2006", "201", Location("MSH", field=9, component=2)


class WrongProcessingId(HeaderRefusal):
    """A test message on a production channel, or the reverse (B20)."""

    code, condition, default_location = "H2F-2007", "202", Location("MSH", field=11)


class UnsupportedVersion(HeaderRefusal):
    """MSH-12 is not a version of HL7 v2 (B23)."""

    code, condition, default_location = "H2F-2008", "203", Location("MSH", field=12)


class UnknownSender(HeaderRefusal):
    """No site of mappings/sites/ matches MSH-3 and MSH-4 (D1)."""

    code, condition, default_location = "H2F-2009", "103", Location("MSH", field=4)
    mender = "analyst who edits mappings/, or the sending hospital"


class ForeignSender(HeaderRefusal):
    """A site that this listener is not for (D2)."""

    code, condition, default_location = "H2F-2013", "103", Location("MSH", field=4)
    mender = "administrator of the adapter, or the sending hospital"


class UnknownCharset(HeaderRefusal):
    """MSH-18 names a character set that is in no table (C6)."""

    code, condition, default_location = "H2F-2010", "103", Location("MSH", field=18)


class WideCharset(HeaderRefusal):
    """UTF-16 or UTF-32, which cannot travel in HL7 v2 frames (C9)."""

    code, condition, default_location = "H2F-2011", "102", Location("MSH", field=18)


class NotEr7(HeaderRefusal):
    """XML-encoded HL7 v2 on an ER7 channel (B47)."""

    code, condition, default_location = "H2F-2012", "207", Location("MSH")


class UndecodableBytes(ContentRefusal):
    """The bytes are not in the character set that is declared (C1, C3, C12)."""

    code, condition = "H2F-2101", "102"


class ControlCharacter(ContentRefusal):
    """A control character stands in the text (A12, A13, C13)."""

    code, condition = "H2F-2102", "102"


class MalformedSegment(ContentRefusal):
    """A segment has no valid name (B48), or the header of a batch stands inside a message."""

    code, condition = "H2F-2103", "100"


class MissingSegment(ContentRefusal):
    """A required segment is absent (B50)."""

    code, condition = "H2F-2104", "100"


class MissingField(ContentRefusal):
    """A required field is empty (D8)."""

    code, condition = "H2F-2105", "101"


class TooLarge(ContentRefusal):
    """A limit of size is exceeded (A26, C22, C23)."""

    code, condition = "H2F-2106", "207"


class ForeignIdentifier(ContentRefusal):
    """The patient has only numbers of other hospitals (D3)."""

    code, condition = "H2F-2107", "204"


class Held(AdapterError):
    """The message is acknowledged and kept; converting it needs a person."""

    code = "H2F-3000"
    mender = "analyst who edits mappings/"


class NoIdentity(Held):
    """A resource that the message is about has no identifier of its own."""

    code = "H2F-3001"
    mender = "sending hospital, with the analyst"


class NoMap(Held):
    """No file of mappings/messages/ covers this structure."""

    code = "H2F-3002"


class SuspectCharset(Held):
    """The bytes are valid in two character sets: what is declared may not be what was meant (C4)."""

    code = "H2F-3003"
    mender = "sending hospital, with the analyst"


class BrokenDocument(Held):
    """The base64 of a document cannot be read to its end (C25)."""

    code = "H2F-3004"
    mender = "sending hospital"


class UnknownValueType(Held):
    """OBX-2 is in no table of value types (E4): nobody can say what the value is."""

    code = "H2F-3005"
    mender = "sending hospital, with the analyst"


class UnitNotApproved(Held):
    """A result of the study in another unit, for which no conversion is approved (E7)."""

    code = "H2F-3006"
    mender = "analyst who edits mappings/"
