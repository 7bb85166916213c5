from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import MappingError
from adapter.fhir import r4
from adapter.store.merge import Merged, load_merge_rules, merge
from tests.store_stand import MRN, RULES, SUBJECT, mapped

EARLY, LATE = "2018-03-01T08:00:00+08:00", "2018-03-02T08:00:00+08:00"


def merged(kind: str, *statements: tuple[dict[str, Any], str, dict[str, Any]]) -> dict[str, Any]:
    state = Merged({}, {})
    for number, (content, order, more) in enumerate(statements, 1):
        said = mapped({"resourceType": kind, "id": "x", **content}, order, **more)
        state = merge(RULES[kind], state, said, message_id=number)
    return state.content


def test_admission_that_comes_after_its_discharge_adds_the_start_and_does_not_reopen():
    discharge = ({"status": "finished", "period": {"end": "2018-03-02"}}, LATE, {})
    admission = ({"status": "in-progress", "period": {"start": "2018-03-01"}}, EARLY, {})
    period = {"start": "2018-03-01", "end": "2018-03-02"}
    assert merged("Encounter", discharge, admission) == {"status": "finished", "period": period}


def test_cancelled_discharge_removes_the_end_and_keeps_the_start():
    discharge = ({"status": "finished", "period": {"start": "2018-03-01", "end": "2018-03-02"}}, EARLY, {})
    cancelled = ({"status": "in-progress"}, LATE, {"cleared": ("period.end",)})
    expected = {"status": "in-progress", "period": {"start": "2018-03-01"}}
    assert merged("Encounter", discharge, cancelled) == merged("Encounter", cancelled, discharge) == expected


def test_what_is_only_implied_never_overwrites_what_was_stated():
    stated = ({"gender": "female"}, EARLY, {})
    implied = ({"gender": "unknown", "birthDate": "1950"}, LATE, {"fill": True})
    assert merged("Patient", stated, implied) == {"gender": "female", "birthDate": "1950"}


def test_default_gives_way_even_to_what_is_only_implied():
    default = ({"status": "unknown"}, LATE, {"defaults": ("status",)})
    implied = ({"status": "finished"}, EARLY, {"fill": True})
    assert merged("Encounter", default, implied) == merged("Encounter", implied, default) == {"status": "finished"}


def test_element_that_was_cleared_is_not_brought_back_by_an_older_message():
    older, null = ({"birthDate": "1950"}, EARLY, {}), ({}, LATE, {"cleared": ("birthDate",)})
    assert merged("Patient", null, older) == merged("Patient", older, null) == {}


def test_null_takes_away_one_extension_and_leaves_the_others():
    born, married = {"url": "born", "valueString": "A"}, {"url": "married", "valueString": "B"}
    said, null = ({"extension": [born, married]}, EARLY, {}), ({}, LATE, {"cleared": ("extension.born",)})
    assert merged("Patient", said, null) == merged("Patient", null, said) == {"extension": [married]}
    assert merged("Encounter", said, null) == merged("Encounter", null, said) == {"extension": [married]}


def test_null_of_a_part_leaves_the_element_that_the_message_states():
    stated = ({"reaction": [{"manifestation": []}]}, LATE, {"cleared": ("reaction.severity",)})
    assert merged("AllergyIntolerance", stated) == {"reaction": [{"manifestation": []}]}


def test_element_that_a_message_leaves_out_stays():
    assert merged("Patient", ({"gender": "male"}, EARLY, {}), ({"birthDate": "1950"}, LATE, {})) == {
        "gender": "male",
        "birthDate": "1950",
    }


def test_death_that_becomes_dated_leaves_one_choice_only():
    dead, dated = ({"deceasedBoolean": True}, EARLY, {}), ({"deceasedDateTime": "2018-05"}, LATE, {})
    assert merged("Patient", dead, dated) == merged("Patient", dated, dead) == {"deceasedDateTime": "2018-05"}


def test_value_leaves_with_its_extension():
    old = ({"birthDate": "1950", "_birthDate": {"extension": []}}, EARLY, {})
    assert merged("Patient", old, ({"birthDate": "1951"}, LATE, {})) == {"birthDate": "1951"}


def test_identifiers_of_all_messages_are_kept_and_the_newest_form_of_each():
    first = ({"identifier": [{"system": MRN, "value": "1", "use": "old"}]}, EARLY, {})
    second = ({"identifier": [{"system": SUBJECT, "value": "ATLI-901"}, {"system": MRN, "value": "1"}]}, LATE, {})
    both = [{"system": SUBJECT, "value": "ATLI-901"}, {"system": MRN, "value": "1"}]
    assert merged("Patient", first, second)["identifier"] == both
    assert merged("Patient", second, first)["identifier"] == both


def test_correction_with_one_result_keeps_the_reports_other_results():
    panel = ({"result": [{"reference": "Observation/a"}, {"reference": "Observation/b"}]}, EARLY, {})
    correction = ({"status": "corrected", "result": [{"reference": "Observation/a"}]}, LATE, {})
    report = merged("DiagnosticReport", panel, correction)
    assert {one["reference"] for one in report["result"]} == {"Observation/a", "Observation/b"}


def test_of_two_statements_of_one_instant_the_later_message_counts():
    noon = ({"gender": "male"}, "2018-03-01T12:00:00+08:00", {})
    same = ({"gender": "female"}, "2018-03-01T04:00:00Z", {})
    assert merged("Patient", noon, same) == {"gender": "female"}


def test_state_before_is_not_changed():
    state = Merged({"identifier": [{"system": MRN, "value": "1"}]}, {})
    said = mapped({"resourceType": "Patient", "id": "x", "identifier": [{"system": MRN, "value": "2"}]})
    merge(RULES["Patient"], state, said, message_id=1)
    assert state == Merged({"identifier": [{"system": MRN, "value": "1"}]}, {})


def test_numbers_keep_their_digits():
    assert str(merged("Patient", ({"x": Decimal("0.70")}, EARLY, {}))["x"]) == "0.70"


def test_every_element_in_merge_yaml_exists_in_r4():
    for kind, rule in RULES.items():
        if kind != "*":
            paths = [*rule.union, *rule.parts, *(f"{stem}[x]" for stem in rule.choices)]
            assert all(r4.element(f"{kind}.{path}") for path in [*paths])


def test_type_that_is_not_named_follows_the_rule_for_all_others():
    assert RULES["Organization"] is RULES["*"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"*": {kind: elements}\nPatient:\n  kind: both\n', 2),
        ('"*": {kind: elements}\nPatient: {kind: whole, joined: [x]}\n', 2),
        ("Patient: {kind: whole}\n", 1),
        ("- Patient\n", 1),
        ('"*": {kind: elements}\nPatient: [\n', 3),
    ],
)
def test_wrong_merge_yaml_is_refused_with_its_line(tmp_path: Path, text: str, line: int):
    (tmp_path / "merge.yaml").write_text(text)
    with pytest.raises(MappingError) as refused:
        load_merge_rules(tmp_path)
    assert (refused.value.line, refused.value.file) == (line, str(tmp_path / "merge.yaml"))
