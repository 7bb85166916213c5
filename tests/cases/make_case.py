"""Write the message of a new case; `pytest tests/cases --update-cases` makes its expected.json, which a person reads.

    python -m tests.cases.make_case ORU_R01 full [--event ORU^R01] [--version 2.8.2] [--print]

Situations: `minimal` (what the structure and identity require), `full` (a value in every field of every segment that is
mapped), `repeats` (as full, whatever may repeat twice), `nulls` (every field of a mapped segment that identity does not
need is HL7 null).
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from adapter.hl7v2 import grammar
from adapter.mapper.message_maps import MessageMap
from tests.guide import probe, samples
from tests.guide.samples import BASE

Fields = dict[int, str]
REPEATING = frozenset("AIG AIL AIP AIS AL1 DG1 FT1 GT1 IN1 NK1 NTE OBX PR1 PRD".split())


def build(structure: str, situation: str, *, event: str = "", version: str = "") -> bytes:
    """The message.

    Args:
        structure: as a file of mappings/messages is named.
        situation: one of SITUATIONS.
        event: one of the structure's; by default its first.
        version: by default the newest that has the structure.
    """
    found = {name: one for name, one in probe.catalog().messages.items() if one.structure == structure}
    event = event or next(iter(found))
    kind, _, trigger = event.partition("^")
    known = [one for one in grammar.versions() if grammar.structure(kind, trigger, one) == structure]
    version = version or known[-1]
    paths = _required(event, structure, version) if situation == "minimal" else _mapped_paths(found[event], version)
    made = samples.sketch(event, structure, version, paths)
    mapped = {path.rpartition(".")[2] for path in paths}
    for name, fields in made.segments:
        if name != "MSH" and name in mapped:
            SITUATIONS[situation](name, fields, version)
    if situation == "repeats":
        made.segments = [one for pair in made.segments for one in _twice(pair)]
    return made.text()


def _required(event: str, structure: str, version: str) -> list[str]:
    """The places of segments that stand in groups of which the structure requires one."""
    paths: list[str] = []
    while True:
        names = tuple(name for name, _ in samples.sketch(event, structure, version, paths).segments)
        missing = {one.segment for one in grammar.shape(structure, version, names).problems if one.kind == "missing"}
        known = grammar.structure_segments(structure, version)
        more = [path for path in known if path.rpartition(".")[2] in missing and path not in paths]
        if not more:
            return paths
        paths.append(more[0])


def _mapped_paths(message_map: MessageMap, version: str) -> list[str]:
    """The first place of every segment that the parts of a message map read."""
    compiled = [probe.maps()[part.map] for part in message_map.parts]
    wanted = {slot[0] for one in compiled for slot in one.slots}
    first: dict[str, str] = {}
    for path in grammar.structure_segments(message_map.structure, version):
        if path.rpartition(".")[2] in wanted:
            first.setdefault(path.rpartition(".")[2], path)
    return list(first.values())


def _nothing(_name: str, _fields: Fields, _version: str) -> None:
    """Only what is required."""


def _full(name: str, fields: Fields, version: str) -> None:
    for one in grammar.segment_fields(name, version):
        kind = fields.get(2, "ST") if (name, one.number) == ("OBX", 5) else one.datatype
        fields.setdefault(one.number, samples.sample(kind))


def _repeats(name: str, fields: Fields, version: str) -> None:
    _full(name, fields, version)
    for one in grammar.segment_fields(name, version):
        if one.repeats and one.number in fields:
            fields[one.number] = f"{fields[one.number]}~{_other(fields[one.number])}"


def _nulls(name: str, fields: Fields, version: str) -> None:
    for one in grammar.segment_fields(name, version):
        if one.number not in BASE.get(name, {}):
            fields[one.number] = '""'


def _twice(segment: tuple[str, Fields]) -> list[tuple[str, Fields]]:
    """A segment and, of the kinds that repeat side by side, a second one with other values."""
    name, fields = segment
    if name not in REPEATING:
        return [segment]
    known = BASE.get(name, {})
    return [
        segment,
        (name, {number: _other(text) if number in {1, *known} else text for number, text in fields.items()}),
    ]


def _other(text: str) -> str:
    """Another value of the same form: the last digit of its first component is one more."""
    first, caret, rest = text.partition("^")
    digits = [at for at, character in enumerate(first) if character.isdecimal()]
    if not digits:
        return text
    at = digits[-1]
    return f"{first[:at]}{(int(first[at]) + 1) % 10}{first[at + 1 :]}{caret}{rest}"


SITUATIONS: Mapping[str, Callable[[str, Fields, str], None]] = {
    "minimal": _nothing,
    "full": _full,
    "repeats": _repeats,
    "nulls": _nulls,
}


def main() -> None:
    """Write tests/cases/<STRUCTURE>/<situation>/message.hl7, or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("structure")
    parser.add_argument("situation", choices=SITUATIONS)
    parser.add_argument("--event", default="")
    parser.add_argument("--version", default="")
    parser.add_argument("--print", action="store_true", dest="show")
    asked = parser.parse_args()
    raw = build(asked.structure, asked.situation, event=asked.event, version=asked.version)
    if asked.show:
        sys.stdout.write(raw.decode().replace("\r", "\n"))
        return
    file = Path(__file__).parent / asked.structure / asked.situation / "message.hl7"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
