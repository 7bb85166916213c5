"""Valid values by data type, and small messages of a structure, for the tests of the guide and for new cases."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adapter.hl7v2 import grammar

SAMPLES: Mapping[str, str] = {
    "CP": "12.50&CNY", "CQ": "3^min", "CX": "N77^^^TESTHOSP^MR", "DIN": "20260310093000+0800", "DLD": "X1^20260310",
    "DLN": "L-7^ZJ^20301231", "DR": "20260310^20260311", "DT": "20260310", "DTM": "20260310093000+0800",
    "ED": "^text^plain^A^Test", "EI": "N77^TESTHOSP^1.2.3^ISO", "EIP": "N77&TESTHOSP^N78&TESTHOSP", "FC": "X1^20260310",
    "FT": "Test text", "HD": "TESTHOSP^1.2.3^ISO", "JCC": "X1^X2", "MO": "12.50&CNY", "MSG": "ADT^A01", "NA": "1^2^3",
    "NDL": "D7&Test&Doc^20260310", "NM": "3", "NR": "1^3", "OG": "1", "PL": "OPD^12^1^TESTHOSP", "PLN": "L-7^MD",
    "PT": "P", "RP": "http://example.org/x^^text^plain", "RPT": "BID", "SI": "1", "SN": ">^5", "SPD": "Haematology",
    "SPS": "BLD", "ST": "Test", "TM": "0930", "TQ": "1^^M30^20260310093000+0800^20260310100000+0800^R",
    "TS": "20260310093000+0800", "TX": "Test text", "VID": "2.5.1", "XAD": "Road 1^^Testcity^ZJ^321000^CHN^H",
    "XCN": "D7^Test^Doc^^^^^^TESTHOSP", "XON": "Test ward^^^^^TESTHOSP^^^^88", "XPN": "测^试一",
    "XTN": "^PRN^PH^^86^579^5550100",
}  # fmt: skip
CODED = frozenset({"CE", "CF", "CNE", "CWE", "IS", "ID"})
BASE: Mapping[str, Mapping[int, str]] = {
    "AIG": {3: "ECG-3^ECG machine^L"},
    "AIL": {3: "OPD^12"},
    "AIP": {3: "D7^Test^Doc"},
    "AIS": {3: "X1^Consultation^L"},
    "AL1": {3: "X1^Substance^L"},
    "BPX": {2: "F", 3: "CR"},
    "BTX": {3: "X1^Product^L", 11: "TX"},
    "CSR": {1: "TLI2017", 4: "S1^^^TESTHOSP^ANON"},
    "DG1": {3: "C92.0^Acute myeloid leukaemia^I10"},
    "FT1": {2: "T-1", 6: "CG", 7: "X1^Service^L"},
    "GT1": {3: "测^试保"},
    "IAM": {3: "X1^Substance^L"},
    "IN1": {2: "X1^Plan^L", 3: "INS1", 4: "Test insurance"},
    "IN3": {2: "C-1"},
    "LOC": {1: "OPD^12"},
    "MFE": {1: "MAD", 4: "D7"},
    "MRG": {1: "P1002^^^TESTHOSP^MR"},
    "NK1": {2: "测^试亲"},
    "NPU": {1: "OPD^12^1"},
    "NTE": {3: "Test text"},
    "OBR": {2: "O-1", 3: "F-1", 4: "58410-2^CBC^LN"},
    "OBX": {2: "NM", 3: "718-7^Hemoglobin^LN", 5: "88", 6: "g/L", 11: "F"},
    "ORC": {1: "NW", 2: "O-1", 3: "F-1"},
    "PID": {3: "P1001^^^TESTHOSP^MR", 18: "AC77^^^TESTHOSP^AN"},
    "PR1": {3: "38.99^Venepuncture^L"},
    "PV1": {2: "I", 19: "V55"},
    "RF1": {6: "RF-1"},
    "RXA": {3: "20260310", 5: "X1^Drug^L"},
    "RXE": {2: "X1^Drug^L"},
    "RXO": {1: "X1^Drug^L"},
    "SCH": {2: "A-1", 11: "^^^20260312093000+0800^20260312100000+0800"},
    "SPM": {2: "^S-1", 4: "BLD"},
    "STF": {1: "D7"},
    "TXA": {2: "CN", 12: "D-1", 17: "AU"},
}
"""What identity needs, and what makes a resource whole."""


def sample(datatype: str, code: str = "", *, table: str = "") -> str:
    """A valid value of a data type; of a coded one with this code."""
    if datatype in {"ID", "IS"}:
        return code or "X1"
    if datatype in CODED:
        return f"{code or 'X1'}^Words^{f'HL7{table[-4:]}' if table and code else 'L'}"
    return SAMPLES.get(datatype, "X1")


@dataclass
class Sketch:
    """A message in the making: the fields of each of its segments."""

    event: str
    version: str
    segments: list[tuple[str, dict[int, str]]] = field(default_factory=list[tuple[str, dict[int, str]]])

    def of(self, name: str) -> dict[int, str]:
        """The fields of the first segment of this name."""
        return next(fields for segment, fields in self.segments if segment == name)

    def text(self) -> bytes:
        """The message in ER7."""
        return "".join(_line(name, fields) + "\r" for name, fields in self.segments).encode()


def _line(name: str, fields: Mapping[int, str]) -> str:
    first = 3 if name == "MSH" else 1
    values = [fields.get(number, "") for number in range(first, max(fields, default=0) + 1)]
    return "|".join([r"MSH|^~\&" if name == "MSH" else name, *values])


def header(event: str, structure: str, version: str) -> dict[int, str]:
    """MSH of a sender that no site names."""
    kind, _, trigger = event.partition("^")
    type_sent = f"{kind}^{trigger}^{structure}" if version >= "2.3.1" else f"{kind}^{trigger}"
    texts = ("SENDER", "TESTHOSP", "ADAPTER", "TRIAL", "20260310080000+0800", "", type_sent, "C1", "P", version)
    return {**dict(enumerate(texts, start=3)), 18: "UNICODE UTF-8"}


def sketch(event: str, structure: str, version: str, wanted: Iterable[str]) -> Sketch:
    """The smallest message of a structure that holds these paths (`PATIENT.PID`), with what identity needs."""
    known = grammar.structure_segments(structure, version)
    paths = {path for path, required in known.items() if required and "." not in path}
    for path in wanted:
        *groups, _ = path.split(".")
        inner = {".".join(groups[: depth + 1]) for depth in range(len(groups))}
        needed = (one for one, required in known.items() if required and one.rpartition(".")[0] in inner)
        paths |= {path, *(one for one in needed if not one.rpartition(".")[0].endswith("CHOICE"))}
    made = Sketch(event, version)
    for path in known:
        name = path.rpartition(".")[2]
        if name == "MSH":
            made.segments.append((name, header(event, structure, version)))
        elif path in paths:
            fields = dict(BASE.get(name, {}))
            made.segments.append((name, fields or {1: "1"}))
    return made


_VALUED = re.compile(r"([A-Z][A-Z0-9]{2})-(\d+)(?:\.(\d+))?\s+(?:IS\s+)?(NOT\s+)?(?:VALUED|EMPTY)", re.IGNORECASE)
_EQUALS = re.compile(
    r"([A-Z][A-Z0-9]{2})-(\d+)(?:\.(\d+))?\s*(?:IS|EQUALS|=|IN)\s*\(?\s*[\"']([^\"']*)[\"']", re.IGNORECASE
)
_OWN = re.compile(r"\b(?:CWE|CX|XAD)\.(\d+)\s+(?:IS|IN)\s*\(?\s*\"([^\"]+)\"")


def meet(made: Sketch, condition: str, own: tuple[str, int]) -> None:
    """Change a message so that the condition of a guide row holds, as far as it can be read.

    Args:
        made: the message.
        condition: the guide's own words.
        own: segment and number of the field of the row.
    """
    names = {name for name, _ in made.segments}
    for segment, number, component, negated in _VALUED.findall(condition):
        if segment not in names or (segment, int(number)) == own:
            continue
        fields = made.of(segment)
        if negated or "EMPTY" in condition:
            fields.pop(int(number), None)
        else:
            known = {one.number: one for one in grammar.segment_fields(segment, made.version)}
            kind = known[int(number)].datatype if int(number) in known else "ST"
            fields.setdefault(
                int(number), "^" * (int(component or 1) - 1) + sample(kind) if component else sample(kind)
            )
    for segment, number, component, value in _EQUALS.findall(condition):
        if segment in names:
            fields = made.of(segment)
            text = fields.get(int(number), "") if component else ""
            fields[int(number)] = with_component(text, int(component or 1), value)
    for component, value in _OWN.findall(condition):
        fields = made.of(own[0])
        fields[own[1]] = with_component(fields.get(own[1], ""), int(component), value)


def with_component(text: str, component: int, value: str) -> str:
    """A field with one component set."""
    parts = text.split("^")
    parts += [""] * (component - len(parts))
    parts[component - 1] = value
    return "^".join(parts)
