"""What a rule makes of its source, remembered: a code, a unit or a name seen before costs one look into a dictionary.

What is made is shared between resources and messages: never mutate it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from adapter.hl7v2.message import LONGEST_SPLIT_KEPT, NULL, Delimiters, Field, Repetition, Segment, split_field
from adapter.mapper.datatypes.doubt import CLEARED, Doubt

STANDARD = Delimiters("|", "^", "~", "\\", "&", None)
DEFAULTED = Doubt(None, "0", "", "defaulted")
MEMO_LIMIT = 20_000

Doubts = list[tuple[int, Doubt]]
"""The doubts of one resource, each with the number of its rule."""

Made = tuple[Any, Doubt | None]
CLEARED_MADE: Made = (None, CLEARED)


@dataclass(frozen=True, slots=True)
class Maker:
    """How one rule makes its value.

    `known` holds what was made without doubt (None: nothing), by the source: the generated code looks there first, and
    calls `make` (source, doubts) for the rest. Where it is None, nothing is remembered.
    """

    make: Callable[[Any, Doubts], Any]
    known: dict[Any, Any] | None = None


def single(convert: Callable[[Repetition], Any], component: int, number: int, *, many: bool) -> Maker:
    """Make a converter of one raw field: every repetition where the target repeats, else the first."""

    def make(raw: str) -> Made:
        return CLEARED_MADE if raw == NULL else _convert_field(split_field(raw, STANDARD), convert, component, many)

    return _remembering(make, number, len)


def several(
    convert: Callable[..., Any], number: int, *, many: bool, clears: bool = False, parts: Sequence[str] = ()
) -> Maker:
    """Make a converter of several raw fields at once.

    With `clears`, null in the first takes the element away; with `parts`, null in each takes that part of it away, and
    in all of them the element.
    """

    def make(raws: tuple[str, ...]) -> Made:
        if clears and raws[0] == NULL:
            return CLEARED_MADE
        value, doubt = _parted(convert(*[split_field(raw, STANDARD) if raw and raw != NULL else () for raw in raws]))
        if parts and NULL in raws:
            gone = [part for part, raw in zip(parts, raws, strict=True) if raw == NULL]
            doubt = CLEARED if len(gone) == len(parts) else replace(CLEARED, text=gone[0])
        return (_listed(value) if many else value, doubt)

    return _remembering(make, number, _length)


def group(convert: Callable[[tuple[Segment, ...]], Any], number: int, *, many: bool) -> Maker:
    """Make a converter of all segments of one name in the group."""

    def make(segments: tuple[Segment, ...], doubts: Doubts) -> Any:
        value, doubt = _parted(convert(segments))
        if doubt is not None:
            doubts.append((number, doubt))
        return _listed(value) if many else value

    return Maker(make)


def mixed(convert: Callable[..., Any], number: int, *, many: bool) -> Maker:
    """Make a converter of several sources at once, some of them fields, some all segments of one name."""

    def make(sources: tuple[str | tuple[Segment, ...], ...], doubts: Doubts) -> Any:
        given = [
            one if isinstance(one, tuple) else split_field(one, STANDARD) if one and one != NULL else ()
            for one in sources
        ]
        value, doubt = _parted(convert(*given))
        if doubt is not None:
            doubts.append((number, doubt))
        return _listed(value) if many else value

    return Maker(make)


def _remembering(convert: Callable[[Any], Made], number: int, length: Callable[[Any], int]) -> Maker:
    known: dict[Any, Any] = {}
    others: dict[Any, Made] = {}

    def make(raw: Any, doubts: Doubts) -> Any:
        made = others.get(raw)
        if made is None:
            made = convert(raw)
            if length(raw) <= LONGEST_SPLIT_KEPT:
                _remember(raw, made, known, others)
        value, doubt = made
        if doubt is not None:
            doubts.append((number, doubt))
        return value

    return Maker(make, known)


def _remember(raw: Any, made: Made, known: dict[Any, Any], others: dict[Any, Made]) -> None:
    value, doubt = made
    memo: dict[Any, Any] = others if doubt else known
    if len(memo) >= MEMO_LIMIT:
        memo.clear()
    memo[raw] = made if doubt else value


def _length(raws: tuple[str, ...]) -> int:
    return len(raws[0])


def _convert_field(field: Field, convert: Callable[[Repetition], Any], component: int, many: bool) -> Made:  # noqa: FBT001
    doubt: Doubt | None = None
    values: list[Any] = []
    for repetition in field if many else field[:1]:
        part = repetition if not component else repetition[component - 1 : component]
        if not any(any(component) for component in part):
            continue
        value, doubted = _parted(convert(part))
        doubt = _both(doubt, doubted) if doubt and doubted else doubted or doubt
        if value is not None:
            values += cast("list[Any]", value) if isinstance(value, list) and many else [value]
    if not many and len(field) > 1 and doubt is None:
        doubt = Doubt(None, "102", "only the first repetition fits the FHIR element", "repetition-left-out")
    return (values or None, doubt) if many else (values[0] if values else None, doubt)


def _both(one: Doubt, other: Doubt) -> Doubt:
    """The later doubt, with what both sent that has no row."""
    return replace(other, sent=one.sent + other.sent)


def _parted(converted: Any) -> Made:
    return (converted.value, converted) if isinstance(converted, Doubt) else (converted, None)


def _listed(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
