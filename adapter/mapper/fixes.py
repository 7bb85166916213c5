"""Named repairs of a hospital's dialect, chosen in site.yaml (`fixes:`). Each takes the segments and returns them.

A fix never invents: a segment that it makes keeps the position of the one it came from, so that every value
still leads to its bytes.
"""

from collections.abc import Callable, Mapping

from adapter.hl7v2.message import Segment
from adapter.mapper.datatypes.cells import note_facts

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


def cell_facts_in_notes(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """`aliquot=…;CD3=0.67E8/kg;wt=76.0kg` behind a BTX or BPX becomes one OBX for each number (interface 01, Cells).

    The note stays: what is no number (aliquot, storage, course, visit) is read there.
    """
    made: list[Segment] = []
    owner: Segment | None = None
    for segment in segments:
        made.append(segment)
        if segment.name in _CELLS:
            owner = segment
        elif segment.name == "NTE" and owner is not None:
            made += [
                _fact(segment, owner, name, text)
                for name, text in note_facts(segment.raw(3)).items()
                if text[0].isdigit()
            ]
        else:
            owner = None
    return tuple(made)


def cell_facts_in_zti(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """ZTI-9 to 15 (doses, weight, viability, each with its unit) become one OBX each (interface 04, Infusion)."""
    made: list[Segment] = []
    for segment in segments:
        made.append(segment)
        if segment.name == "ZTI":
            facts = [(number, segment.raw(number), unit) for number, unit in _zti_units(segment)]
            made += [_number(segment, f"ZTI.{number}", value, unit) for number, value, unit in facts if value]
    return tuple(made)


_CELLS = frozenset({"BPX", "BTX"})
_ZTI_FACTS = ((9, 10), (11, 12), (13, 14))
_VIABILITY = 15


def _zti_units(segment: Segment) -> list[tuple[int, str]]:
    return [*((number, segment.raw(unit)) for number, unit in _ZTI_FACTS), (_VIABILITY, "%")]


def _fact(note: Segment, owner: Segment, name: str, text: str) -> Segment:
    number = text[: len(text) - len(text.lstrip("0123456789."))]
    return _number(
        note,
        f"{owner.name}.{name}",
        number,
        text.removeprefix(number),
        sub_id=note_facts(note.raw(3)).get("aliquot", ""),
    )


def _number(source: Segment, code: str, value: str, unit: str, *, sub_id: str = "") -> Segment:
    return source._replace(name="OBX", fields=("OBX", "", "NM", code, sub_id, value, unit, "", "", "", "", "F"))


def _obx(segment: Segment, code: str, value: str) -> Segment:
    fields = list(segment.fields)
    fields[3] = "^".join([code, *segment.raw(3).split("^")[1:]])
    fields[5] = value.strip()
    return segment._replace(fields=tuple(fields))


FIXES: Mapping[str, Fix] = {
    "split-blood-pressure": split_blood_pressure,
    "cell-facts-in-notes": cell_facts_in_notes,
    "cell-facts-in-zti": cell_facts_in_zti,
}
