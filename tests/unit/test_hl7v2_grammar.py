"""Structures, groups, fields; what is wrong in a message and where."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapter.hl7v2 import grammar
from adapter.hl7v2.batch import messages
from adapter.hl7v2.grammar import Group
from adapter.hl7v2.parse import parse
from tests.fuzz.laws import limited

SHARED = Path(__file__).parents[2].parent / "shared"


def drawn(group: Group, names: list[str]) -> str:
    """The groups as the standard draws them: `ORU_R01(MSH PATIENT_RESULT(…))`."""
    parts = [names[child] if isinstance(child, int) else drawn(child, names) for child in group.children]
    return f"{group.name}({' '.join(parts)})"


def draw(structure: str, version: str, names: str) -> str:
    return drawn(grammar.shape(structure, version, tuple(names.split())).root, names.split())


def problems(structure: str, version: str, names: str) -> list[tuple[str, str, int]]:
    found = grammar.shape(structure, version, tuple(names.split())).problems
    return [(problem.kind, problem.segment, problem.index) for problem in found]


@pytest.mark.parametrize(
    ("structure", "version", "names", "expected"),
    [
        (
            "RDE_O11",
            "2.5.1",
            "MSH PID ORC TQ1 RXO RXR RXE TQ1 RXR OBX",
            "RDE_O11(MSH PATIENT(PID) ORDER(ORC TIMING(TQ1) ORDER_DETAIL(RXO RXR)"
            " RXE TIMING_ENCODED(TQ1) RXR OBSERVATION(OBX)))",
        ),
        (
            "RDE_O11",
            "2.5.1",
            "MSH PID ORC RXE TQ1 RXR",
            "RDE_O11(MSH PATIENT(PID) ORDER(ORC RXE TIMING_ENCODED(TQ1) RXR))",
        ),
        (
            "CSU_C09",
            "2.5.1",
            "MSH PID CSR CSP CSS ORC OBR OBX ORC OBR OBX ORC RXA RXR CSS OBR OBX RXA RXR",
            "CSU_C09(MSH PATIENT(PID CSR STUDY_PHASE(CSP"
            " STUDY_SCHEDULE(CSS STUDY_OBSERVATION(ORC OBR OBX) STUDY_OBSERVATION(ORC OBR OBX)"
            " STUDY_PHARM(ORC RX_ADMIN(RXA RXR)))"
            " STUDY_SCHEDULE(CSS STUDY_OBSERVATION(OBR OBX) STUDY_PHARM(RX_ADMIN(RXA RXR))))))",
        ),
        (
            "OUL_R22",
            "2.6",
            "MSH PID SPM SAC OBR ORC OBX OBX CTI OBR ORC OBX CTI SPM OBR OBX",
            "OUL_R22(MSH PATIENT(PID) SPECIMEN(SPM CONTAINER(SAC) ORDER(OBR ORC RESULT(OBX) RESULT(OBX) CTI)"
            " ORDER(OBR ORC RESULT(OBX) CTI)) SPECIMEN(SPM ORDER(OBR RESULT(OBX))))",
        ),
        (
            "ORU_R01",
            "2.5.1",
            "MSH PID PV1 ORC OBR NTE OBX NTE OBX CTI SPM OBX OBR OBX",
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1))"
            " ORDER_OBSERVATION(ORC OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX) CTI SPECIMEN(SPM OBX))"
            " ORDER_OBSERVATION(OBR OBSERVATION(OBX))))",
        ),
        (
            "ORU_R01",
            "2.3.1",
            "MSH PID OBR OBX OBX NTE OBR OBX PID OBR OBX",
            "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX) OBSERVATION(OBX NTE))"
            " ORDER_OBSERVATION(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID)"
            " ORDER_OBSERVATION(OBR OBSERVATION(OBX))))",
        ),
        (
            "RAS_O17",
            "2.5.1",
            "MSH PID PV1 ORC RXA RXR OBX OBX CTI ORC RXA RXA RXR",
            "RAS_O17(MSH PATIENT(PID PATIENT_VISIT(PV1)) ORDER(ORC ADMINISTRATION(RXA RXR OBSERVATION(OBX)"
            " OBSERVATION(OBX)) CTI) ORDER(ORC ADMINISTRATION(RXA RXA RXR)))",
        ),
        (
            "RAS_O01",
            "2.3.1",
            "MSH PID ORC RXO NTE RXR RXE RXR RXA RXR OBX",
            "RAS_O01(MSH PATIENT(PID) ORDER(ORC ORDER_DETAIL(RXO ORDER_DETAIL_SUPPLEMENT(NTE RXR))"
            " ENCODING(RXE RXR) RXA RXR OBSERVATION(OBX)))",
        ),
        (
            "PEX_P07",
            "2.4",
            "MSH EVN PID PES PEO PCR RXA RXR PRB OBX NTE CSR CSP PCR OBX PES PEO PCR",
            "PEX_P07(MSH EVN PID EXPERIENCE(PES PEX_OBSERVATION(PEO PEX_CAUSE(PCR RX_ADMINISTRATION(RXA RXR) PRB OBX"
            " NTE STUDY(CSR CSP)) PEX_CAUSE(PCR OBX))) EXPERIENCE(PES PEX_OBSERVATION(PEO PEX_CAUSE(PCR))))",
        ),
        (
            "BTS_O31",
            "2.6",
            "MSH PID PV1 ORC BPO BTX NTE ZTI ZXX",
            "BTS_O31(MSH PATIENT(PID PATIENT_VISIT(PV1)) ORDER(ORC BPO PRODUCT_STATUS(BTX NTE ZTI ZXX)))",
        ),
        (
            "CRM_C01",
            "2.5.1",
            "MSH PID CSR CSP PID PV1 CSR PID CSR CSP CSP",
            "CRM_C01(MSH PATIENT(PID CSR CSP) PATIENT(PID PV1 CSR) PATIENT(PID CSR CSP CSP))",
        ),
        (
            "PPR_PC1",
            "2.5.1",
            "MSH PID PV1 PRB OBX ORC OBR OBX",
            "PPR_PC1(MSH PID PATIENT_VISIT(PV1) PROBLEM(PRB PROBLEM_OBSERVATION(OBX)"
            " ORDER(ORC ORDER_DETAIL(CHOICE(OBR) ORDER_OBSERVATION(OBX)))))",
        ),
        (
            "ADT_A01",
            "2.5",
            "MSH EVN PID ROL PV1 ROL IN1 IN2 ROL",
            "ADT_A01(MSH EVN PID ROL PV1 ROL INSURANCE(IN1 IN2 ROL))",
        ),
    ],
)
def test_segments_stand_in_the_groups_that_the_whole_message_asks_for(
    structure: str, version: str, names: str, expected: str
):
    assert draw(structure, version, names) == expected
    assert problems(structure, version, names) == []


@pytest.mark.parametrize(
    ("structure", "version", "names", "expected"),
    [
        ("ADT_A01", "2.4", "MSH EVN PV1 DG1", [("missing", "PID", 2)]),
        ("ADT_A01", "2.4", "MSH EVN PID", [("missing", "PV1", 3)]),
        ("ADT_A01", "2.4", "MSH EVN PID PV1 PV1", [("unexpected", "PV1", 4)]),
        ("ADT_A01", "2.4", "MSH EVN PV1 PID", [("order", "PID", 3)]),
        ("ORU_R01", "2.5.1", "MSH PID", [("missing", "OBR", 2)]),
        ("ORU_R01", "2.5.1", "MSH PID OBX OBX", [("missing", "OBR", 2)]),
        ("ORU_R01", "2.5.1", "MSH PID OBX OBR OBX", [("order", "OBX", 2)]),
        ("ORU_R01", "2.5.1", "MSH PID PV1 NK1 OBR", [("order", "NK1", 3)]),
        ("ORU_R01", "2.5.1", "MSH PID OBR OBX XYZ", [("unexpected", "XYZ", 4)]),
        ("ORU_R01", "2.5.1", "MSH PID OBR OBX ZTI ZTI", []),
        ("ORU_R01", "2.5.1", "MSH PID PID OBR", [("missing", "OBR", 2)]),
        ("CRM_C01", "2.5.1", "MSH PID PID CSR", [("missing", "CSR", 2)]),
        ("BPS_O29", "2.5", "MSH PID ORC", [("missing", "BPO", 3)]),
    ],
)
def test_problems_name_the_segment_and_where(
    structure: str, version: str, names: str, expected: list[tuple[str, str, int]]
):
    assert problems(structure, version, names) == expected


def test_occurrences_are_counted():
    (problem,) = grammar.shape("ORU_R01", "2.5.1", ("MSH", "PID", "OBR", "OBX", "PID", "OBX")).problems

    assert (problem.segment, problem.occurrence, problem.text) == ("OBR", 2, "OBR is missing before OBX")


def test_results_without_an_order_stay_with_their_patient():
    assert draw("ORU_R01", "2.5.1", "MSH PID OBX OBX") == (
        "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBSERVATION(OBX) OBSERVATION(OBX))))"
    )


def test_a_late_visit_does_not_take_the_results_from_their_patient():
    assert draw("ORU_R01", "2.5.1", "MSH PID OBR OBX PV1 OBR OBX") == (
        "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(OBR OBSERVATION(OBX))"
        " ORDER_OBSERVATION(OBR OBSERVATION(OBX))))"
    )


def test_a_second_patient_never_shares_a_group_with_the_first():
    shape = draw("ORU_R01", "2.5.1", "MSH PID PID OBR OBX")

    assert shape.count("PATIENT(PID)") == 2
    assert shape.count("PATIENT_RESULT(") == 2


def test_a_group_knows_its_path():
    root = grammar.shape("ORU_R01", "2.3", ("MSH", "PID", "OBR")).root
    result = root.children[1]

    assert isinstance(result, Group)
    assert (root.path, result.path) == ("ORU_R01", "ORU_R01.PATIENT_RESULT")


@pytest.mark.parametrize("names", [(), ("", "x"), ("PID",), ("MSH", "MSH"), ("ZZZ",) * 3, ("OBX", "MSH", "PID")])
@pytest.mark.parametrize("structure", ["ORU_R01", "NO_SUCH", ""])
@pytest.mark.parametrize("version", ["2.5.1", "", "9.9", "x"])
def test_odd_input_has_a_shape_with_every_segment_once(structure: str, version: str, names: tuple[str, ...]):
    def indices(group: Group) -> list[int]:
        return [i for child in group.children for i in ([child] if isinstance(child, int) else indices(child))]

    assert sorted(indices(grammar.shape(structure, version, names).root)) == list(range(len(names)))


def test_an_unknown_version_is_read_as_the_nearest_lower_one():
    names = ("MSH", "PID", "ORC", "OBR")

    assert grammar.shape("ORU_R01", "2.5.9", names) == grammar.shape("ORU_R01", "2.5.1", names)
    assert grammar.segment_fields("PID", "3.0") == grammar.segment_fields("PID", "2.8.2")


def test_a_structure_that_the_version_lacks_is_taken_from_the_nearest():
    assert draw("OUL_R22", "2.4", "MSH SPM OBR") == "OUL_R22(MSH SPECIMEN(SPM ORDER(OBR)))"


@pytest.mark.parametrize(
    ("message_type", "event", "version", "sent", "expected"),
    [
        ("ADT", "A04", "2.5.1", "", "ADT_A01"),
        ("ADT", "A08", "2.3.1", "", "ADT_A01"),
        ("ADT", "A04", "2.3.1", "ADT_A04", "ADT_A01"),
        ("ADT", "A28", "2.3.1", "", "ADT_A05"),
        ("ADT", "A31", "2.6", "ADT_A05", "ADT_A05"),
        ("ADT", "A11", "2.3.1", "", "ADT_A09"),
        ("ADT", "A40", "2.3.1", "", "ADT_A39"),
        ("ADT", "A03", "2.4", "ADT_A01", "ADT_A03"),
        ("ORU", "R01", "2.3.1", "", "ORU_R01"),
        ("CRM", "C05", "2.5.1", "", "CRM_C01"),
        ("PEX", "P08", "2.4", "", "PEX_P07"),
        ("RAS", "O01", "2.3.1", "", "RAS_O01"),
        ("ACK", "R01", "2.5.1", "", "ACK"),
        ("XYZ", "Y99", "2.5.1", "ORU_R01", "ORU_R01"),
        ("XYZ", "Y99", "2.5.1", "", None),
        ("", "", "2.5.1", "", None),
    ],
)
def test_the_structure_of_an_event(message_type: str, event: str, version: str, sent: str, expected: str | None):
    assert grammar.structure(message_type, event, version, sent) == expected


@pytest.mark.parametrize("structure", ["A04", "A05", "A08", "A13", "A28", "A31"])
def test_the_structures_of_231_that_hl7apy_lacks(structure: str):
    own = draw(f"ADT_{structure}", "2.3.1", "MSH EVN PID NK1 PV1 DG1 PR1 ROL")

    assert own == f"ADT_{structure}(MSH EVN PID NK1 PV1 DG1 PROCEDURE(PR1 ROL))"


def test_cancelled_and_merged_patients_of_231():
    assert problems("ADT_A11", "2.3.1", "MSH EVN PID PV1 DG1") == []
    assert draw("ADT_A40", "2.3.1", "MSH EVN PID MRG PID MRG") == "ADT_A40(MSH EVN PATIENT(PID MRG) PATIENT(PID MRG))"


def test_fields_are_known_by_number_name_and_type():
    field = next(one for one in grammar.segment_fields("PID", "2.5.1") if one.number == 8)

    assert (field.name, field.datatype, field.table, field.required, field.repeats) == (
        "Administrative sex",
        "IS",
        "HL70001",
        False,
        False,
    )
    assert next(one for one in grammar.segment_fields("PID", "2.5.1") if one.number == 3).repeats
    assert grammar.segment_fields("ZTI", "2.6") == ()
    assert [one.name for one in grammar.datatype_components("CX", "2.5.1")][:2] == ["Id number", "Check digit"]


def test_obx_4_may_be_empty_in_231():
    assert not next(one for one in grammar.segment_fields("OBX", "2.3.1") if one.number == 4).required


@pytest.mark.parametrize("path", ["PID", "PID-5", "PID-5.1", "PID-3[2].4.2", "OBX-5.4", "MSH-9.3", "ZTI-99.9", "NTE-3"])
def test_paths_that_exist(path: str):
    assert grammar.has_path(path)


@pytest.mark.parametrize("path", ["XYZ-1", "PID-99", "PID-5.99", "PID-1.2", "PID-3.4.9", "pid-5", "PID-5.1.1.1", ""])
def test_paths_that_do_not_exist(path: str):
    assert not grammar.has_path(path)


def test_paths_of_one_version():
    assert not grammar.has_path("OBX-20", ["2.5.1"])
    assert grammar.has_path("OBX-20", ["2.5.1", "2.6"])


def test_the_segments_of_a_structure():
    segments = grammar.structure_segments("ORU_R01", "2.5.1")

    assert segments["PATIENT_RESULT.PATIENT.PID"]
    assert segments["PATIENT_RESULT.ORDER_OBSERVATION.OBR"]
    assert not segments["PATIENT_RESULT.ORDER_OBSERVATION.ORC"]
    assert "PATIENT_RESULT.PATIENT.OBR" not in segments
    assert grammar.structure_segments("NO_SUCH", "2.5.1") == {}


def test_only_the_version_that_is_used_is_loaded():
    program = (
        "import sys; from adapter.hl7v2 import grammar; grammar.shape('ORU_R01', '2.5.1', ('MSH',));"
        "print(sorted(name for name in sys.modules if 'hl7apy' in name and name.count('.') == 1))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert "_hl7apy_v2_5_1.messages" in loaded
    assert "v2_6" not in loaded
    assert "hl7apy.v2" not in loaded
    assert "tables" not in loaded


@pytest.mark.parametrize("body", ["OBX", "OBR OBX", "ORC OBX NTE", "PID PID", "OBX OBR", "SPM CTI NTE PV1 OBX ORC"])
def test_long_messages_take_linear_time(body: str):
    names = ("MSH", "PID", "OBR", *(body.split() * 20_000)[:20_000])

    with limited():
        shape = grammar.shape("ORU_R01", "2.5.1", names)

    assert len(shape.problems) <= 50


def test_the_streams_of_the_hospitals_fit_their_structures():
    files = sorted((SHARED / "cohort/messages").glob("*.mllp"))
    if not files:
        pytest.skip("../shared/cohort/messages is not here")
    for file in files:
        for raw in list(messages(file.read_bytes()))[::7]:
            message = parse(raw, default_encoding="GB18030")
            structure = grammar.structure(message.type, message.event, message.version, message.structure_sent)
            names = tuple(segment.name for segment in message.segments)
            assert structure, (file.name, message.type, message.event)
            assert grammar.shape(structure, message.version, names).problems == (), (file.name, names)
