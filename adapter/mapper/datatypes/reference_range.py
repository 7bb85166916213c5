"""OBX-7: reference ranges, in the unit of the value. What cannot be read stays as text (catalogue E10)."""

import unicodedata
from functools import lru_cache
from typing import Any

from adapter.hl7v2.message import Field
from adapter.mapper.datatypes.converter import Bound, Converter, Need, whole_text
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.nm import Measured, measured
from adapter.mapper.datatypes.obx import targets
from adapter.mapper.datatypes.quantity import Scale, quantity, scale
from adapter.mapper.sites import Site

DASHES = str.maketrans({"–": "-", "—": "-", "−": "-"})
SEPARATORS = ("--", "~", "-")


def limits(text: str) -> tuple[Measured | None, Measured | None]:
    """Low and high of `4.0-10.0`, `4.0--10.0`, the same with a full-width tilde, `<8`; two None for other texts."""
    tidy = unicodedata.normalize("NFKC", text).translate(DASHES).replace(" ", "")
    found = measured(tidy)
    if found and found.comparator:
        return (None, found) if found.comparator[0] == "<" else (found, None)
    for separator in SEPARATORS:
        at = tidy.find(separator, 1)
        if at < 0:
            continue
        low, high = measured(tidy[:at]), measured(tidy[at + len(separator) :])
        if low and high and not (low.comparator or high.comparator) and low.value <= high.value:
            return low, high
    return None, None


def _bind_reference_range(site: Site, _paths: tuple[str, ...]) -> Bound:
    concepts = Concepts(site, "OBX-3")

    @lru_cache(maxsize=4096)
    def reference_range(sent: Field, unit: Field, code: Field) -> dict[str, Any] | None:
        text = "~".join(whole_text(repetition) for repetition in sent).strip()
        if not text:
            return None
        return _range(text, scale(site, unit, targets(concepts, code)))

    return reference_range


def _range(text: str, by: Scale) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for element, limit in zip(("low", "high"), limits(text), strict=True):
        if limit:
            made[element] = quantity(Measured(limit.value), by)
    made["text"] = f"{text} {by.sent}" if by.factor is not None else text
    return made


CONVERTERS = (Converter("OBX-referenceRange", "BackboneElement", _bind_reference_range, sources=3, needs=Need.VALUE),)
