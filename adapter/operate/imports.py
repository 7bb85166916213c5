"""An import: rows are checked again where the database is, become messages, and these are given to the intake."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from adapter.hl7v2.parse import parse
from adapter.imports import messages, rows, table
from adapter.imports.messages import Draft
from adapter.imports.rows import Accepted
from adapter.imports.sheet import Sheet
from adapter.request_errors import BadParameter
from adapter.store import imported, record
from adapter.store.database import Connection, Database
from adapter.store.imported import Imported

NEW, CHANGED, UNCHANGED, REFUSED = "new", "changed", "unchanged", "refused"


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table: its first row and these as text, the number of each in the file, and who imports."""

    kind: str
    text: str
    numbers: Sequence[int]
    actor: str


@dataclass(frozen=True, slots=True)
class Given:
    """What the intake says of a message; `message_id` None: it was not stored."""

    state: str
    message_id: int | None


Give = Callable[[Sequence[bytes], str, str], Sequence[Given]]
"""Gives messages to the intake as those of a site and of this actor, in their order."""


class Imports(Protocol):
    """Takes rows."""

    def take(self, order: Rows) -> dict[str, Any]:
        """Take some rows.

        Returns:
            `rows`: of each number, key, outcome and its messages; `faults` of those that are refused.

        Raises:
            BadParameter: the kind is not known, or nobody imports.
            UnreadableTable: it is no table of this kind.
            StorageUnavailable: not all is stored; doing it again goes on where this ended.
        """
        ...


@dataclass(frozen=True, slots=True)
class Importer:
    """Takes rows in the process that has the database."""

    database: Database
    sheets: Mapping[str, Sheet]
    give: Give
    clock: Callable[[], datetime]

    def take(self, order: Rows) -> dict[str, Any]:
        """As `Imports.take`."""
        sheet, now = sheet_of(self.sheets, order.kind), self.clock()
        if not order.actor.strip():
            raise BadParameter("whoever imports says who: actor")
        found = table.read(order.text.encode(), list(sheet.columns))
        if len(found.rows) != len(order.numbers):
            raise BadParameter("numbers: has one number for each row")
        numbered = [replace(row, number=number) for row, number in zip(found.rows, order.numbers, strict=True)]
        found = replace(found, rows=tuple(numbered))
        checked = rows.check(sheet, found, today=rows.last_day(now))
        made = self._made(sheet, checked.accepted, found.header, now)
        given = iter(self.give([raw for _, _, raws in made for raw in raws], sheet.site, order.actor))
        told = [_told(row, outcome, [next(given) for _ in raws]) for row, outcome, raws in made]
        return {"rows": told, "faults": [asdict(fault) for fault in checked.faults]}

    def _made(
        self, sheet: Sheet, accepted: Sequence[Accepted], header: bytes, now: datetime
    ) -> list[tuple[Accepted, str, list[bytes]]]:
        """The rows, what each is, and the messages that it gives."""
        # Of two imports within a second the second is the newer one.
        time = f"{now.strftime('%Y%m%d%H%M%S')}.{now.microsecond // 100:04d}{now.strftime('%z')}"
        made: list[tuple[Accepted, str, list[bytes]]] = []
        with self.database.read() as connection:
            before = imported.last(connection, sheet.site, messages.name_of)
            for row in accepted:
                drafts = messages.drafts(sheet, row, header=header)
                known = [before.get(draft.name) for draft in drafts]
                raws = [
                    _written(connection, sheet, draft, one, time)
                    for draft, one in zip(drafts, known, strict=True)
                    if one is None or not draft.known_as(one.control_id)
                ]
                made.append((row, _outcome(known, raws), raws))
        return made


def sheet_of(sheets: Mapping[str, Sheet], kind: str) -> Sheet:
    """The sheet of this name.

    Raises:
        BadParameter: there is none.
    """
    if kind not in sheets:
        raise BadParameter(f"there is no mappings/imports/ file {kind!r}; there are {', '.join(sheets)}")
    return sheets[kind]


def _written(connection: Connection, sheet: Sheet, draft: Draft, one: Imported | None, time: str) -> bytes:
    if one is None:
        return messages.write(sheet, draft, time=time)
    lines = parse(record.content(connection, one.id)).source.split("\r")
    return messages.write(sheet, draft, time=time, before=lines, number=one.count)


def _outcome(known: Sequence[Imported | None], raws: Sequence[bytes]) -> str:
    if not raws:
        return UNCHANGED
    return CHANGED if all(known) else NEW


def _told(row: Accepted, outcome: str, given: Sequence[Given]) -> dict[str, Any]:
    # A message that the intake refuses is a mistake of the sheet, not of the row.
    if any(one.state in {"rejected", "ignored"} for one in given):
        outcome = REFUSED
    return {"row": row.number, "key": row.key, "outcome": outcome, "messages": [one.message_id for one in given]}
