"""Named repairs of a hospital's dialect, chosen in site.yaml (`fixes:`). Each takes the segments and returns them.

A fix never invents: a segment that it makes keeps the position of the one it came from, so that every value
still leads to its bytes.
"""

from collections.abc import Callable, Mapping

from adapter.hl7v2.message import Segment
from adapter.mapper.quirks import QUIRKS

Fix = Callable[[tuple[Segment, ...]], tuple[Segment, ...]]


def split_blood_pressure(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """One OBX `BP` with `118/70` becomes two, `BP.SBP` and `BP.DBP` (interface of Jinhua, spec §Bedside)."""
    made: list[Segment] = []
    for segment in segments:
        systolic, slash, diastolic = segment.raw(5).partition("/")
        if segment.name != "OBX" or segment.raw(3).partition("^")[0] != "BP" or not slash:
            made.append(segment)
            continue
        made += [_obx(segment, "BP.SBP", systolic), _obx(segment, "BP.DBP", diastolic)]
    return tuple(made)


def _obx(segment: Segment, code: str, value: str) -> Segment:
    fields = list(segment.fields)
    fields[3] = "^".join([code, *segment.raw(3).split("^")[1:]])
    fields[5] = value.strip()
    return segment._replace(fields=tuple(fields))


FIXES: Mapping[str, Fix] = {"split-blood-pressure": split_blood_pressure, **QUIRKS}
