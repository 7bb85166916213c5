"""The bad messages of the fault catalogue, made from two good ones, with the answer that each must get."""

from dataclasses import dataclass

from tests.integration.intake_stand import JINHUA, JINHUA_PID, OBR, OBX, PID, header, message

HOSPITAL = "sending hospital"
ANALYST = "analyst who edits mappings/, or the sending hospital"
LIMIT = 100_000
"""ADAPTER_MAX_MESSAGE_BYTES of the program under test."""


@dataclass(frozen=True)
class Refused:
    """One bad message: bytes, MSA-1, condition of table 0357, place, our code, who mends it, its own MSH-10."""

    raw: bytes
    code: str
    condition: str
    place: str
    cause: str
    mender: str
    control_id: str
    state: str = "rejected"

    @property
    def older(self) -> bool:
        """Whether the answer has ERR as it was before 2.5."""
        return b"|2.3.1" in self.raw


def fahzu(control_id: str, *segments: str, **changed: str) -> bytes:
    """A message of the coordinating hospital: 2.5.1, enhanced mode, UTF-8."""
    return message(header(msh_10=control_id, **changed), *(segments or (PID, OBR, OBX)))


def original(control_id: str, *segments: str, **changed: str) -> bytes:
    """The same in original mode."""
    return fahzu(control_id, *segments, msh_15="", msh_16="", **changed)


def jinhua(control_id: str, *segments: str, msh: str = JINHUA) -> bytes:
    """A message of Jinhua: 2.3.1, original mode, GB 18030 without saying so."""
    return message(msh.replace("LIS000001", control_id), *segments, encoding="gb18030")


_WITHOUT_NUMBER = PID.replace("00A90001", "")
_ADMISSION = "EVN||20180101080000+0800"
_LARGE = fahzu("A26", PID, OBR, OBX.replace("0.70", "7" * LIMIT))

REFUSED = {
    "A12 VT inside a text": Refused(
        fahzu("A12").replace(b"0.70", b"0\x0b70"), "CE", "102", "OBX^1^5", "H2F-2102", HOSPITAL, "A12"
    ),
    "A13 FS inside a text": Refused(
        fahzu("A13").replace(b"0.70", b"0\x1c70"), "CE", "102", "OBX^1^5", "H2F-2102", HOSPITAL, "A13"
    ),
    "A26 too large": Refused(_LARGE, "CE", "207", "", "H2F-2106", HOSPITAL, "A26"),
    "B1 no MSH": Refused(message(PID, OBR), "AR", "100", "MSH^1", "H2F-2001", HOSPITAL, ""),
    "B2 MSH without MSH-2": Refused(b"MSH|\r", "AR", "101", "MSH^1^2", "H2F-2002", HOSPITAL, ""),
    "B7 unsupported type": Refused(
        fahzu("B7", msh_9="NMD^N02"), "CR", "200", "MSH^1^9^1^1", "H2F-2005", HOSPITAL, "B7"
    ),
    "B7 unsupported type in 2.3.1": Refused(
        jinhua("B7a", JINHUA_PID, msh=JINHUA.replace("ORU^R01", "NMD^N02")),
        *("AR", "200", "MSH^1^9", "H2F-2005", HOSPITAL, "B7a"),
    ),
    "B8 unsupported event": Refused(
        original("B8", msh_9="ADT^A99"), "AR", "201", "MSH^1^9^1^2", "H2F-2006", HOSPITAL, "B8"
    ),
    "B11 no MSH-10": Refused(original(""), "AR", "101", "MSH^1^10", "H2F-2004", HOSPITAL, ""),
    "B20 test message": Refused(fahzu("B20", msh_11="T"), "CR", "202", "MSH^1^11", "H2F-2007", HOSPITAL, "B20"),
    "B22 no version": Refused(original("B22", msh_12=""), "AR", "101", "MSH^1^12", "H2F-2004", HOSPITAL, "B22"),
    "B23 no such version": Refused(fahzu("B23", msh_12="2.99"), "CR", "203", "MSH^1^12", "H2F-2008", HOSPITAL, "B23"),
    "B43 second MSH in a frame": Refused(
        original("B43") + original("B43b"), "AE", "100", "MSH^2", "H2F-2133", HOSPITAL, "B43", "held"
    ),
    "B47 XML": Refused(
        b'<?xml version="1.0"?><ORU_R01 xmlns="urn:hl7-org:v2xml"/>',
        *("AR", "207", "MSH^1", "H2F-2012", HOSPITAL, ""),
    ),
    "B48 segment without a name": Refused(
        fahzu("B48", PID, OBR, "ob |1"), "CE", "100", "ob ^1", "H2F-2103", HOSPITAL, "B48"
    ),
    "B50 ORU without OBR": Refused(fahzu("B50", PID), "CE", "100", "OBR^1", "H2F-2104", HOSPITAL, "B50"),
    "B50 ADT without PID": Refused(
        fahzu("B50a", _ADMISSION, "PV1|1|I", msh_9="ADT^A01^ADT_A01"),
        *("CE", "100", "PID^1", "H2F-2104", HOSPITAL, "B50a"),
    ),
    "B50 ORU without OBR in 2.3.1": Refused(
        jinhua("B50b", JINHUA_PID), "AE", "100", "OBR^1", "H2F-2104", HOSPITAL, "B50b"
    ),
    "C1 declared UTF-8, bytes GBK": Refused(
        fahzu("C1").replace("试".encode(), "试".encode("gbk")), "CE", "102", "PID^1^5", "H2F-2101", HOSPITAL, "C1"
    ),
    "C6 unknown character set": Refused(
        original("C6", msh_18="FOO"), "AR", "103", "MSH^1^18", "H2F-2010", HOSPITAL, "C6"
    ),
    "C9 UTF-16": Refused(fahzu("C9").decode().encode("utf-16"), "AR", "102", "MSH^1^18", "H2F-2011", HOSPITAL, ""),
    "C13 NUL": Refused(fahzu("C13").replace(b"0.70", b"0\x0070"), "CE", "102", "OBX^1^5", "H2F-2102", HOSPITAL, "C13"),
    "C13 ESC in 2.3.1": Refused(
        jinhua("C13a", JINHUA_PID, OBR, OBX.replace("0.70", "0\x1b[70")),
        *("AE", "102", "OBX^1^5", "H2F-2102", HOSPITAL, "C13a"),
    ),
    "D1 unknown site": Refused(fahzu("D1", msh_4="NOBODY"), "CR", "103", "MSH^1^4", "H2F-2009", ANALYST, "D1"),
    "D8 no patient number": Refused(
        fahzu("D8", _WITHOUT_NUMBER, OBR, OBX), "CE", "101", "PID^1^3", "H2F-2105", HOSPITAL, "D8"
    ),
    "D8 no patient number in 2.3.1": Refused(
        jinhua("D8a", JINHUA_PID.replace("0009000001", ""), OBR),
        *("AE", "101", "PID^1^2", "H2F-2105", HOSPITAL, "D8a"),
    ),
}
