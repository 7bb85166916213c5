"""What a rule makes of its source, remembered: a code, a unit or a name seen before costs one look into a dictionary.

What is made is shared between resources and messages: never mutate it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from adapter.hl7v2.message import LONGEST_SPLIT_KEPT, NULL, Delimiters, Field, Repetition, Segment, split_field
from adapter.mapper.datatypes.doubt import CLEARED, Doubt

STANDARD = Delimiters("|", "^", "~", "\\", "&", None)
DEFAULTED = Doubt(None, "0", "", "defaulted")
MEMO_LIMIT = 20_000
_FEW = 4
"""So many segments of one name may come again as they were: people and notes; of more, something always differs."""
_NEW = object()

_T = TypeVar("_T")

Doubts = list[tuple[int, Doubt]]
"""The doubts of one resource, each with the number of its rule."""

Made = tuple[Any, Doubt | None]
CLEARED_MADE: Made = (None, CLEARED)


class Memo(dict[str, _T]):
    """What a function makes of a text, kept for the last few thousand short texts."""

    def __init__(self, make: Callable[[str], _T]) -> None:
        """Begin empty."""
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> _T:
        """Make it, and remember it."""
        made = self._make(text)
        if len(text) <= LONGEST_SPLIT_KEPT:
            if len(self) >= MEMO_LIMIT:
                self.clear()
            self[text] = made
        return made


@dataclass(frozen=True, slots=True)
class Maker:
    """How one rule makes its value.

    `known` holds what was made without doubt (None: nothing), by the source: the generated code looks there first, and
    calls `make` (source, doubts) for the rest. Where it is None, nothing is remembered.
    """

    make: Callable[[Any, Doubts], Any]
    known: dict[Any, Any] | None = None

    def value(self, source: Any, doubts: Doubts) -> Any:
        """What is made of a source, as generated code asks for it."""
        made = _NEW if self.known is None else self.known.get(source, _NEW)
        return self.make(source, doubts) if made is _NEW else made


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

    def make(segments: tuple[Segment, ...]) -> Made:
        value, doubt = _parted(convert(segments))
        return (_listed(value) if many else value, doubt)

    return _remembering_few(make, number, lambda segments: _sent((segments,)))


def mixed(convert: Callable[..., Any], number: int, *, many: bool) -> Maker:
    """Make a converter of several sources at once, some of them fields, some all segments of one name."""

    def make(sources: tuple[str | tuple[Segment, ...], ...]) -> Made:
        given = [
            one if isinstance(one, tuple) else split_field(one, STANDARD) if one and one != NULL else ()
            for one in sources
        ]
        value, doubt = _parted(convert(*given))
        return (_listed(value) if many else value, doubt)

    return _remembering_few(make, number, _sent)


def _remembering_few(convert: Callable[[Any], Made], number: int, sent: Callable[[Any], str]) -> Maker:
    made_of: dict[str, Made] = {}

    def make(sources: Any, doubts: Doubts) -> Any:
        key = sent(sources)
        made = made_of.get(key)
        if made is None:
            made = convert(sources)
            if 0 < len(key) <= LONGEST_SPLIT_KEPT:
                if len(made_of) >= MEMO_LIMIT:
                    made_of.clear()
                made_of[key] = made
        value, doubt = made
        if doubt is not None:
            doubts.append((number, doubt))
        return value

    return Maker(make)


def _sent(sources: Sequence[str | tuple[Segment, ...]]) -> str:
    """Fields and segments as they were sent, to know them again by; empty where they are many."""
    if any(len(one) > _FEW for one in sources if isinstance(one, tuple)):
        return ""
    return "\r".join(
        [one if isinstance(one, str) else "\n".join(["|".join(segment.fields) for segment in one]) for one in sources]
    )


def _remembering(convert: Callable[[Any], Made], number: int, length: Callable[[Any], int]) -> Maker:
    known: dict[Any, Any] = {}
    doubted: dict[Any, tuple[Any, tuple[int, Doubt]]] = {}

    def make(raw: Any, doubts: Doubts) -> Any:
        before = doubted.get(raw)
        if before:
            doubts.append(before[1])
            return before[0]
        value, doubt = convert(raw)
        if doubt:
            doubts.append((number, doubt))
        if length(raw) <= LONGEST_SPLIT_KEPT:
            memo: dict[Any, Any] = doubted if doubt else known
            if len(memo) >= MEMO_LIMIT:
                memo.clear()
            memo[raw] = (value, doubts[-1]) if doubt else value
        return value

    return Maker(make, known)


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
