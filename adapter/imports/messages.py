"""A row becomes messages. A message says what the row says now, and takes back what an earlier one said besides.

MSH-10 tells three things: which message of which row it is, a digest of what it says, and how many were before it. So
what has been imported before is known from the inbox alone, and the same row again gives nothing to send.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from adapter.hl7v2.message import Delimiters, escape
from adapter.imports.rows import Accepted
from adapter.imports.sheet import CODE, DATE, Sheet, Template

FINAL, CORRECTED, DELETED = "F", "C", "D"
"""OBX-11 and OBR-25 (HL7 tables 0085 and 0123): as first sent; in place of it; taken back."""

_NAME, _DIGEST = 9, 8  # characters of MSH-10, of which HL7 v2.5.1 allows 20
_STATUS = 11
_USUAL = Delimiters("|", "^", "~", "\\", "&", None)


@dataclass(frozen=True, slots=True)
class Draft:
    """What one message of a row would say; `number` are the characters of MSH-10 that tell what and of whom."""

    template: Template
    cells: Mapping[str, str]
    name: str
    digest: str

    def known_as(self, control_id: str) -> bool:
        """Whether a message of this MSH-10 says the same."""
        return control_id.startswith(self.name + self.digest)


def name_of(control_id: str) -> str:
    """Which message of which row an MSH-10 is of."""
    return control_id[:_NAME]


def drafts(sheet: Sheet, row: Accepted, *, header: bytes) -> list[Draft]:
    """The messages of a row, in their order.

    Args:
        sheet: the kind of the table.
        row: a row of it that has no fault.
        header: the bytes of the table's first row, which stay with the row.
    """
    cells = {name: _cell(sheet, name, text) for name, text in row.cells.items()}
    cells["row"] = b64encode(header + b"\n" + row.raw).decode()
    made: list[Draft] = []
    for template in sheet.messages:
        said = "\r".join(_lines(template, cells, {}))
        name = _digest(f"{sheet.name}|{template.first}|{row.key}", _NAME)
        made.append(Draft(template, cells, name, _digest(said, _DIGEST)))
    return made


def write(sheet: Sheet, draft: Draft, *, time: str, before: Sequence[str] = (), number: int = 0) -> bytes:
    """Write a message.

    Args:
        sheet: the kind of the table.
        draft: what it says.
        time: MSH-7.
        before: the segments of the last message of this name, if there was one.
        number: how many messages of this name there were.
    """
    sent = {_question(line): line for line in before if line.startswith("OBX|")}
    event = draft.template.again if before else draft.template.first
    identity = {"time": time, "event": event, "id": f"{draft.name}{draft.digest}{number}"}
    lines = [sheet.header.format_map(identity), *_lines(draft.template, draft.cells, sent, again=bool(before))]
    return "".join(f"{line}\r" for line in lines).encode()


def _lines(
    template: Template, cells: Mapping[str, str], sent: Mapping[str, str], *, again: bool = False
) -> Iterator[str]:
    """The lines after MSH; what was sent and is not said any more follows the last OBX."""
    number, left = 0, dict(sent)
    whole = [line.text for line in template.lines if all(cells[name] for name in line.columns)]
    last = max((at for at, text in enumerate(whole) if text.startswith("OBX|")), default=-1)
    for at, text in enumerate(whole):
        if text.startswith("OBX|"):
            number += 1
            yield _answer(text.format_map({**cells, "n": number, "status": FINAL}), left.pop(_question(text), ""))
        else:
            yield text.format_map({**cells, "status": CORRECTED if again else FINAL})
        if at == last:
            for place, line in enumerate(left.values(), start=number + 1):
                yield _deleted(line, place)


def _answer(line: str, before: str) -> str:
    """An answer as it is sent now: as before where it says the same, corrected where it says something else."""
    if not before:
        return line
    fields, sent = line.split("|"), before.split("|")
    status = sent[_STATUS]
    same = [*fields[2:_STATUS], *fields[_STATUS + 1 :]] == [*sent[2:_STATUS], *sent[_STATUS + 1 :]]
    fields[_STATUS] = status if same and status != DELETED else CORRECTED
    return "|".join(fields)


def _question(line: str) -> str:
    """OBX-3.1, by which an answer is known."""
    return line.split("|")[3].partition("^")[0]


def _deleted(line: str, number: int) -> str:
    fields = line.split("|")
    fields[1], fields[_STATUS] = str(number), DELETED
    return "|".join(fields)


def _cell(sheet: Sheet, name: str, text: str) -> str:
    column = sheet.columns[name]
    if column.kind == CODE and text:
        return column.codes[text]
    return text.replace("-", "") if column.kind == DATE else escape(text, _USUAL)


def _digest(text: str, length: int) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest())[:length].decode()
