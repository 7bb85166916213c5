"""A draft folder `mappings/sites/<name>/` for a hospital of which there are sample messages alone."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapter.mapper.catalog import Catalog
from adapter.mapper.codes import CANONICAL, SITE_COLUMNS
from adapter.mapper.identity import COLUMNS as IDENTIFIER_COLUMNS
from adapter.mapper.sites import Site
from adapter.mapper.units import SPELLING_COLUMNS
from adapter.operate.survey import Survey
from adapter.request_errors import BadParameter

PROPOSALS = ("file", "table", "code", "display", "count", "example", "target_system", "target_code", "target", "source")
ZONES = {"+0800": "Asia/Shanghai"}
"""Time zones that an offset names alone, among the countries of the trial."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the draft is called, and its time zone where it is known (else the samples must tell)."""

    name: str
    timezone: str = ""

    @property
    def code(self) -> str:
        """The site's code."""
        return self.name.upper().replace("-", "_")


def draft(found: Survey, catalog: Catalog, plan: Plan) -> Mapping[str, str]:
    """The files of the folder by name; they load as they are. proposals.csv is for people: nothing reads it.

    Raises:
        BadParameter: no message can be read, or the time zone is not known.
    """
    if not found.messages:
        raise BadParameter("none of the messages can be read: " + "; ".join(found.unreadable[:3]))
    return {
        "site.yaml": _site(found, plan, _timezone(found, plan)),
        "codes.csv": _csv(SITE_COLUMNS, ()),
        "units.csv": _csv(SPELLING_COLUMNS, ()),
        "identifiers.csv": _csv(IDENTIFIER_COLUMNS, _identifiers(found, catalog, plan)),
        "proposals.csv": _csv(PROPOSALS, _proposals(found, catalog)),
    }


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write the draft into a folder that is not there yet.

    Raises:
        BadParameter: it is there, or cannot be written.
    """
    try:
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"{folder} cannot be written: {error.strerror}; --out names another folder") from error


def _timezone(found: Survey, plan: Plan) -> str:
    if plan.timezone:
        return plan.timezone
    offsets = sorted(found.offsets)
    if len(offsets) == 1 and offsets[0] in ZONES:
        return ZONES[offsets[0]]
    seen = f"offsets {', '.join(offsets)}, which several zones have" if offsets else "no time with an offset"
    raise BadParameter(f"--timezone is needed, such as Asia/Shanghai: the samples hold {seen}")


def _site(found: Survey, plan: Plan, timezone: str) -> str:
    applications, facilities = ({sender[at] for sender in found.senders} for at in (0, 1))
    match = {"MSH-3": applications, "MSH-4": facilities}
    said = ", ".join(
        f"{field}: [{', '.join(map(_quoted, sorted(names)))}]" for field, names in match.items() if all(names)
    )
    lines = [
        f"# Draft from {found.messages} sample messages; every line is to be confirmed with the hospital.",
        f"code: {plan.code}",
        f"name: {plan.name}  # the hospital's own name",
        f"organization: Organization/{plan.name}",
        f"match: {{{said}}}",
        f"timezone: {timezone}",
        f"encoding: {found.charset}  # MSH-18 says: {', '.join(name or 'nothing' for name in sorted(found.charsets))}",
        f"processing: [{', '.join(sorted(one for one in found.processing if one) or ['P'])}]",
        "lane: PID-3.1",
        f"fixes: [{', '.join(sorted(found.quirks))}]",
        *(f"#   {name}: seen in {count} messages" for name, count in sorted(found.quirks.items())),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifiers(found: Survey, catalog: Catalog, plan: Plan) -> Iterable[tuple[str, ...]]:
    known = catalog.standard.table("0203-identifier-type")
    for (authority, kind), count in sorted(found.identifiers.items()):
        local = "-".join(one.lower() for one in (plan.name, kind or "mrn") if one)
        type_code = kind if kind in known else ""
        source = f"draft: PID-3 of {count} samples"
        yield "PID-3", authority, kind, "", f"{CANONICAL}/NamingSystem/{local}", type_code, "", "", "", source


def _proposals(found: Survey, catalog: Catalog) -> Iterable[tuple[str, ...]]:
    for (table, code, display), count in sorted(found.codes.items(), key=lambda one: (one[0][0], -one[1], one[0][1])):
        example = found.example[table, code, display]
        said = ("codes.csv", table, code, display, str(count), example)
        yield *said, *_as_elsewhere(catalog, table, code, display)
    for unit, count in found.units.most_common():
        if (
            not (resolved := catalog.standard.units.resolve((tuple((one,) for one in unit.split("^")),)))
            or resolved.code
        ):
            continue
        yield "units.csv", "", unit, "", str(count), found.example["unit", unit], "", "", "", "no UCUM code is known"


def _as_elsewhere(catalog: Catalog, table: str, code: str, display: str) -> tuple[str, str, str, str]:
    """What other hospitals' tables say of the same words, else of the same code."""
    for wanted, how in ((display, "words"), (code, "code")):
        for site in catalog.sites:
            if wanted and (found := _row(site, table, wanted, by_words=how == "words")):
                return *found, f"proposal: the same {how} as at {site.code}; confirm it"
    return "", "", "", "no proposal"


def _row(site: Site, table: str, wanted: str, *, by_words: bool) -> tuple[str, str, str] | None:
    for concept in site.table(table).values():
        if concept.targets and (concept.display if by_words else concept.code) == wanted:
            target = concept.targets[0]
            return target["system"], target["code"], target.get("display", "")
    return None


def _csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
