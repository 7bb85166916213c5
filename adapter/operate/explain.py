"""What the bytes of a message say: as text, as a tree, in which character set, and what conversion made of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.convert import Converted, convert
from adapter.errors import AdapterError
from adapter.hl7v2 import encoding, slim
from adapter.hl7v2.parse import header, parse
from adapter.hl7v2.tree import tree
from adapter.mapper.catalog import Catalog
from adapter.mapper.fates import fates
from adapter.mapper.ledger import Lineage
from adapter.mapper.sites import Site

PREVIEW = 200

_BYTE = re.compile(r"\bbyte (\d+)")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if code != 0x09} | {0x7F: "\u2421"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explains messages with the mappings of one installation."""

    catalog: Catalog

    def __call__(self, raw: bytes, *, site: str, ledger: bool, large: bool = False) -> Mapping[str, Any]:
        """Explain one message; what cannot be told is left out, with the reason in `unreadable`.

        Args:
            raw: the bytes that are converted.
            large: they are the slim form of a large message.
            site: whose dialect it is; one that is unknown is read by the standard alone.
            ledger: whether to convert, and tell issues, unmapped fields and lineage.
        """
        whose = self.catalog.sites.by_code.get(site, self.catalog.standard)
        said: dict[str, Any] = {}
        try:
            read = slim.stored(raw) if large else slim.slim(raw)
            message = parse(read, default_encoding=whose.encoding, habits=whose.habits)
        except AdapterError as error:
            told = {"unreadable": _why(error), "readings": readings(raw, whose)}
            return {"text": visible(_decoded(raw, whose.encoding or "utf-8")), **told}
        said["text"] = visible(message.source)
        said["encoding_reason"] = message.encoding_reason
        if message.encoding_reason.endswith(encoding.SUSPECT):
            said["readings"] = readings(raw, whose)
        said["tree"] = tree(message)
        if ledger:
            said |= self._ledger(read, whose)
        return said

    def text(self, raw: bytes, *, codec: str) -> str:
        """The bytes as text, with visible control signs."""
        return visible(_decoded(raw, codec or "utf-8"))

    def _ledger(self, read: slim.Slim, site: Site) -> dict[str, Any]:
        try:
            return {"ledger": account(convert(read, catalog=self.catalog, site=site))}
        except AdapterError as error:
            return {"ledger": {"failure": _why(error)}}


def account(converted: Converted) -> dict[str, Any]:
    """Issues, fields that no rule read, where each element came from, and what became of each populated field."""
    lineage = list(converted.ledger.lineage())
    return {
        "issues": [
            {
                "severity": issue.severity,
                "code": issue.code,
                "path": issue.path,
                "text": issue.text,
                "rule": issue.rule,
            }
            for issue in converted.issues
        ],
        "unmapped": [{"path": one.path, "segment": one.position + 1} for one in converted.ledger.unmapped()],
        "lineage": [
            {
                "resource": one.resource,
                "element": one.element,
                "path": one.path,
                "rule": one.rule,
                "bytes": list(one.span),
            }
            for one in lineage
        ],
        "fields": _fields(converted, lineage),
    }


def _fields(converted: Converted, lineage: Sequence[Lineage]) -> list[dict[str, Any]]:
    """Every populated field: `became`, and to which elements by which rules, or the reason why it is ignored."""
    to: dict[str, dict[str, None]] = {}
    for one in lineage:
        field = one.path.partition(".")[0]
        to.setdefault(field, {})[f"{one.resource.partition('/')[0]}.{one.element} ({one.rule})"] = None
    return [
        {
            "path": fate.label,
            "segment": fate.position + 1,
            "became": fate.kind,
            "to": list(to.get(fate.label, ())),
            "reason": fate.reason,
            "left": list(fate.unread),
        }
        for fate in fates(converted.ledger)
    ]


def visible(text: str) -> str:
    """The text with every sign that a terminal would obey made visible; segments stand on lines of their own."""
    shown = encoding.visible(text.translate(_PICTURES))
    shown = re.sub("(\u240d\u240a|\u240d|\u240a)", "\\1\n", shown)
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode() for sign in shown
    )


def readings(raw: bytes, site: Site) -> list[dict[str, Any]]:
    """How the bytes read in each character set that may be meant, for whoever must decide (C1, C3, C4)."""
    try:
        declared = header(raw).charset
    except AdapterError:
        declared = ""
    return [
        {
            "encoding": one.encoding,
            "reason": one.reason,
            "fits": one.fits,
            "first_bad_byte": one.byte if one.byte >= 0 else None,
            "at": str(one.at) if one.at else None,
            "preview": visible(one.preview[:PREVIEW]),
        }
        for one in encoding.candidates(raw, declared=declared, default=site.encoding)
    ]


def offending(cause: str, raw: bytes) -> int | None:
    """The number of the byte that a cause is about, where it names one or a control character."""
    if named := _BYTE.search(cause):
        return int(named[1])
    found = _CONTROL.search(raw) if "control character" in cause else None
    return found.start() if found else None


def hex_dump(raw: bytes, *, first: int = 0, mark: int | None = None) -> list[str]:
    """Sixteen bytes a line: offset, hex, signs; a line below marks the byte that is wrong.

    Args:
        raw: the bytes.
        first: the number of the first of them.
        mark: the number of the byte that is wrong.
    """
    lines: list[str] = []
    for start in range(0, len(raw), 16):
        row = raw[start : start + 16]
        signs = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        lines.append(f"{first + start:08x}  {row.hex(' '):<47}  {signs}")
        if mark is not None and first + start <= mark < first + start + len(row):
            lines.append(" " * (10 + 3 * (mark - first - start)) + f"^^ byte {mark}")
    return lines


def _decoded(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec, "backslashreplace")
    except LookupError:
        return raw.decode("ascii", "backslashreplace")


def _why(error: AdapterError) -> dict[str, str]:
    return {"code": error.code, "text": error.text, "mender": error.mender}
