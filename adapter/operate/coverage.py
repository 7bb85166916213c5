"""How much of what hospitals send is mapped: populated fields by site and structure, and those that no rule read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from adapter.convert import convert
from adapter.errors import AdapterError, NoMap
from adapter.hl7v2.parse import parse
from adapter.mapper.catalog import IGNORED as IGNORED_EVENT
from adapter.mapper.catalog import Catalog
from adapter.mapper.fates import IGNORED, KINDS, MAPPED, Fate, fates, without_map
from adapter.mapper.sites import Site
from adapter.store import figures
from adapter.store.database import Connection


@dataclass(slots=True)
class Tally:
    """One message structure of one site. `unread` counts by path; `example` names a message that shows it."""

    messages: int = 0
    fields: Counter[str] = field(default_factory=Counter[str])
    unread: Counter[str] = field(default_factory=Counter[str])
    example: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, found: Iterable[Fate], example: str) -> None:
        """Count one message."""
        self.messages += 1
        for fate in found:
            self.fields[fate.kind] += 1
            for path in fate.unread:
                self.unread[path] += 1
                self.example.setdefault(path, example)


class Coverage:
    """Counts messages as they are converted with one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Begin with nothing."""
        self._catalog = catalog
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.failed: dict[tuple[str, str], tuple[int, str]] = {}

    def add(self, raw: bytes, *, site: Site, example: str) -> None:
        """Convert and count one message; one that cannot be converted is counted in `failed`.

        Args:
            raw: the message.
            site: whose dialect it is.
            example: what names it: a number, or a file and a number.
        """
        try:
            structure, found = self._found(raw, site)
        except AdapterError as error:
            key = (site.code, f"{error.code} {error.text}")
            self.failed[key] = (self.failed.get(key, (0, ""))[0] + 1, self.failed.get(key, (0, example))[1])
            return
        self.tallies.setdefault((site.code, structure), Tally()).add(found, example)

    def _found(self, raw: bytes, site: Site) -> tuple[str, Iterable[Fate]]:
        try:
            made = convert(raw, catalog=self._catalog, site=site)
            return made.structure, fates(made.ledger)
        except NoMap:
            message = parse(raw, default_encoding=site.encoding, habits=site.habits)
            name = f"{message.type}^{message.event}"
            if self._catalog.accepts(message.type, message.event) == IGNORED_EVENT:
                return f"{name} (ignored)", ()
            return f"{name} (no map)", without_map(message, self._catalog.site_maps[site.code].ignored)


def told(coverage: Coverage) -> dict[str, Any]:
    """The counts as JSON: `structures` by site and structure, `failed` by what hinders."""
    return {
        "structures": [
            {
                "site": site,
                "structure": structure,
                "messages": tally.messages,
                "populated": tally.fields.total(),
                **{kind: tally.fields[kind] for kind in KINDS},
                "share": share([tally]),
                "fields": [
                    {"path": path, "count": count, "example": tally.example[path]}
                    for path, count in tally.unread.most_common()
                ],
            }
            for (site, structure), tally in sorted(coverage.tallies.items())
        ],
        "failed": [
            {"site": site, "cause": cause, "count": count, "example": example}
            for (site, cause), (count, example) in sorted(coverage.failed.items())
        ],
    }


def share(tallies: Iterable[Tally]) -> float | None:
    """The part of the populated fields that is mapped whole, or ignored with a reason; None where there is none."""
    counted = sum((tally.fields for tally in tallies), Counter[str]())
    return round((counted[MAPPED] + counted[IGNORED]) / counted.total(), 4) if counted else None


def stored(connection: Connection, *, site: str) -> dict[str, Any]:
    """What the workers found unread in the messages of a store; only what is unread is counted there."""
    found = sorted(figures.findings(connection, unread=True), key=lambda one: (one.site, one.structure, -one.count))
    return {"structures": list(_stored(one for one in found if site in {"", one.site})), "failed": []}


def _stored(found: Iterable[figures.Finding]) -> Iterator[dict[str, Any]]:
    for (site, structure), some in groupby(found, key=lambda one: (one.site, one.structure)):
        fields = [{"path": one.path, "count": one.count, "example": str(one.example_message_id)} for one in some]
        yield {"site": site, "structure": structure, "fields": fields}
