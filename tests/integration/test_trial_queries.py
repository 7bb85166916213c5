"""The trial office's queries over the store: what closes them, and which the reference cohort leaves open."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from adapter.cli import main
from adapter.fhir import json
from adapter.operate.queries import Asking, Only, listing
from adapter.request_errors import BadParameter
from adapter.trial.matching import Standing, agreement
from adapter.trial.queries import Query, queries
from adapter.trial.querying.case import Case
from adapter.trial.twice import once
from tests.integration.agreed_stand import Hospital, hospital
from tests.integration.cohort import needs_cohort
from tests.integration.cohort_world import World, records
from tests.query_stand import QUERIES
from tests.trial_stand import MAPPINGS, RULES, TERMS

ASKING = Asking(RULES, QUERIES)
CASES = Path(__file__).parents[1] / "cases"
TODAY = date(2018, 6, 1)


def case(structure: str, name: str) -> bytes:
    """A message of the golden cases, as one of production."""
    return (CASES / structure / name / "message.hl7").read_bytes().replace(b"|T|2.5.1", b"|P|2.5.1")


def asked(it: Hospital, only: Only | None = None) -> dict[str, str]:
    """The rules of the open queries, with their ids."""
    found = list(listing(it.database, ASKING, only or Only(), as_of=TODAY))
    return {one["rule"]: one["id"] for one in found}


def take(it: Hospital, *messages: bytes) -> None:
    assert {*it.codes(*messages)} == {"CA"}
    it.convert()


def test_queries_open_with_what_is_there_and_close_by_themselves_when_the_missing_messages_come(
    database_url: str,
) -> None:
    with hospital(database_url) as it:
        take(it, case("CRM_C01", "registration"))
        begun = asked(it)
        assert begun.keys() == {"diagnosis-missing", "hospital-record-missing"}

        take(it, case("CRM_C01", "enters-course"), case("PEX_P07", "fahzu-infection-first-report"))
        with_event = asked(it)
        assert with_event.keys() == {"diagnosis-missing", "course-without-infusion", "event-open", "typing-missing"}
        assert with_event["diagnosis-missing"] == begun["diagnosis-missing"]

        take(it, case("PEX_P07", "update-fahzu-infection"))
        closed = asked(it)
        assert closed.keys() == with_event.keys() - {"event-open"}
        assert closed.items() <= with_event.items()


def test_a_query_names_the_messages_that_brought_its_resources(database_url: str) -> None:
    with hospital(database_url) as it:
        take(it, case("CRM_C01", "registration"), case("PEX_P07", "fahzu-infection-first-report"))
        (found,) = listing(it.database, ASKING, Only(rule="event-open"), as_of=TODAY)
        (told,) = it.rows("SELECT id FROM message WHERE control_id = 'PV17112200001'")
        assert found["messages"] == (f"FAHZU#{told['id']}",)
        assert (found["subject"], found["hospitals"]) == ("ATLI-901", ("FAHZU",))


def test_filters_restrict_and_unknown_ones_are_refused(database_url: str) -> None:
    with hospital(database_url) as it:
        take(it, case("CRM_C01", "registration"), case("PEX_P07", "fahzu-infection-first-report"))
        assert asked(it, Only(severity="minor")).keys() == {"event-open"}
        assert asked(it, Only(rule="diagnosis-missing")).keys() == {"diagnosis-missing"}
        assert asked(it, Only(site="fahzu")) == asked(it) == asked(it, Only(subject="ATLI-901"))
        assert asked(it, Only(site="YWCH")) == asked(it, Only(subject="ATLI-902")) == {}
        for wrong in (Only(rule="none"), Only(severity="none")):
            with pytest.raises(BadParameter):
                asked(it, wrong)


def test_the_command_writes_a_table_or_json_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with hospital(f"sqlite:///{tmp_path}/adapter.db") as it:
        take(it, case("CRM_C01", "registration"))

    def said(*options: str) -> str:
        command = ["adapter", "queries", "--data", str(tmp_path), "--as-of", str(TODAY), *options]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert "2 queries" in said()
    lines = [json.loads(line) for line in said("--json").splitlines()]
    assert [one["rule"] for one in lines] == ["diagnosis-missing", "hospital-record-missing"]
    assert "there are no queries" in said("--severity", "critical")


@pytest.fixture(scope="module")
def cohort(played_cohort: World) -> list[Case]:
    """The cases of the reference cohort, on the day after its data cut-off."""
    return [Case(known, RULES, QUERIES, date(2021, 3, 3)) for known in records(played_cohort, TERMS)]


@pytest.fixture(scope="module")
def found(cohort: list[Case]) -> list[Query]:
    return [one for case in cohort for one in queries(case)]


@needs_cohort
@pytest.mark.timeout(900)
def test_the_reference_cohort_leaves_these_queries_and_no_others(found: list[Query]) -> None:
    assert Counter(one.rule for one in found) == {
        "marrow-day-7": 13,  # 12 of 25 were examined on day 7
        "temperature-without-site": 13,  # 02 and 03 say 体温, 01 and 04 say axillary
        "typing-missing": 7,  # typed at A, B and DRB1 only (NOTES.md, I-10)
        "event-open": 4,  # open in adverse_events.csv too, of subjects who live
        "computed-differs": 3,  # IPSS: see test_trial_rules.py
        "chemotherapy-deviates": 1,  # second induction after NR (NOTES.md, I-16)
    }
    assert len({one.id for one in found}) == len(found)
    assert all(one.messages and one.hospitals for one in found)


@needs_cohort
@pytest.mark.timeout(900)
def test_the_queries_of_the_cohort_are_those_of_the_right_subjects(found: list[Query]) -> None:
    few = {(one.rule, one.subject) for one in found} - {
        (one.rule, one.subject) for one in found if one.rule in {"marrow-day-7", "temperature-without-site"}
    }
    assert {subject for rule, subject in few if rule == "event-open"} == {"ATLI-06", "ATLI-09", "ATLI-12", "ATLI-13"}
    assert {subject for rule, subject in few if rule == "computed-differs"} == {"ATLI-03", "ATLI-08", "ATLI-14"}
    assert {subject for rule, subject in few if rule == "chemotherapy-deviates"} == {"ATLI-04"}
    of_sites = {hospital for one in found if one.rule == "temperature-without-site" for hospital in one.hospitals}
    assert of_sites <= {"YWCH", "JHAH", "FAHZU"}


@needs_cohort
@pytest.mark.timeout(900)
def test_every_fact_of_the_cohort_that_comes_twice_agrees_but_for_three_risks(cohort: list[Case]) -> None:
    counts = agreement(one for case in cohort for one in case.matches)
    assert {
        fact: told for (fact, _), told in counts.items() if fact != "IPSS" and told.keys() != {Standing.AGREES}
    } == {}
    assert {(fact, against): sum(told.values()) for (fact, against), told in counts.items()} == {
        ("CRS", "answers"): 44,
        ("AGVHD", "answers"): 1,
        ("NEUTROPENIA", "values"): 79,
        ("THROMBOCYTOPENIA", "values"): 79,
        ("ANAEMIA", "values"): 67,
        ("PTT", "values"): 50,
        ("FIBRINOGEN", "values"): 25,
        ("LIVER", "values"): 29,
        ("RENAL", "values"): 24,
        ("CRS grade", "values"): 56,
        ("aGvHD grade", "values"): 1,
        ("response (IWG2003)", "values"): 19,
        ("response (IWG2006)", "values"): 9,
        ("IPSS", "values"): 8,
    }
    assert counts["IPSS", "values"] == {Standing.AGREES: 5, Standing.CONFLICT: 3}


@needs_cohort
@pytest.mark.timeout(900)
def test_nothing_of_the_cohort_is_counted_twice(cohort: list[Case]) -> None:
    events = infusions = 0
    for case in cohort:
        for course in case.subject.courses:
            assert course.others == ()
            assert once(course.events, {}, 3) == course.events
            events += len(course.events)
            infusions += course.infusion is not None
        assert (case.subject.infusions, case.subject.events) == ((), ())
    assert (events, infusions) == (477, 79)


def test_the_shipped_texts_are_those_that_are_tested() -> None:
    assert Asking.load(MAPPINGS).rules == QUERIES
