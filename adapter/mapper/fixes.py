"""Named repairs of a hospital's dialect, chosen in site.yaml (`fixes:`). Each takes the segments and returns them.

A fix never invents: a segment that it makes keeps the position of the one it came from, so that every value
still leads to its bytes.
"""

from collections.abc import Callable, Mapping

from adapter.hl7v2.message import Segment
from adapter.mapper.datatypes.cells import note_facts
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


def cell_facts_in_notes(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """`aliquot=…;CD3=0.67E8/kg;wt=76.0kg` behind a BTX or BPX becomes one OBX for each number (interface 01, Cells).

    The note stays: what is no number (aliquot, storage, course, visit) is read there.
    """
    made: list[Segment] = []
    behind = False
    for segment in segments:
        made.append(segment)
        if segment.name in _CELLS:
            behind = True
        elif segment.name == "NTE" and behind:
            made += [
                _fact(segment, name, text) for name, text in note_facts(segment.raw(3)).items() if text[0].isdigit()
            ]
        elif not segment.name.startswith("Z"):  # a Z segment may stand anywhere
            behind = False
    return tuple(made)


def cell_facts_in_zti(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """ZTI-8 to 16 (state, doses, weight, viability, reaction) become one OBX each (interface 04, Infusion)."""
    made: list[Segment] = []
    for segment in segments:
        made.append(segment)
        if segment.name == "ZTI":
            made += [_zti_fact(segment, *fact) for fact in _ZTI_FACTS if segment.raw(fact[0])]
    return tuple(made)


_CELLS = frozenset({"BPX", "BTX"})
_ZTI_FACTS = ((8, "ST", 0), (9, "NM", 10), (11, "NM", 12), (13, "NM", 14), (15, "NM", 0), (16, "CWE", 0))
"""Field, its type, and the field of its unit; the unit of ZTI-15 is %, and ZTI-16 is of HL7 table 0136."""


def _zti_fact(segment: Segment, number: int, kind: str, unit: int) -> Segment:
    value = segment.raw(number) + ("^^HL70136" if kind == "CWE" else "")
    units = segment.raw(unit) if unit else "%" if kind == "NM" else ""
    return _result(segment, f"ZTI.{number}", (kind, value, units))


def _fact(note: Segment, name: str, text: str) -> Segment:
    number = text[: len(text) - len(text.lstrip("0123456789."))]
    said = ("NM", number, text.removeprefix(number))
    code = f"NOTE.{name}/kg" if said[2].endswith("/kg") else f"NOTE.{name}"
    return _result(note, code, said, sub_id=note_facts(note.raw(3)).get("aliquot", ""))


def _result(source: Segment, code: str, said: tuple[str, str, str], *, sub_id: str = "") -> Segment:
    """An OBX of value type, value and unit."""
    kind, value, unit = said
    return source._replace(name="OBX", fields=("OBX", "", kind, code, sub_id, value, unit, "", "", "", "", "F"))


def _obx(segment: Segment, code: str, value: str) -> Segment:
    fields = list(segment.fields)
    fields[3] = "^".join([code, *segment.raw(3).split("^")[1:]])
    fields[5] = value.strip()
    return segment._replace(fields=tuple(fields))


FIXES: Mapping[str, Fix] = {
    "split-blood-pressure": split_blood_pressure,
    "cell-facts-in-notes": cell_facts_in_notes,
    "cell-facts-in-zti": cell_facts_in_zti,
    **QUIRKS,
}
