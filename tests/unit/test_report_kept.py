"""What the report keeps of thousands of subjects: in few bytes, and the same that was put in."""

from datetime import date
from io import BytesIO

import pytest

from adapter.report.packed import packed, treatment
from adapter.report.resting import Shelf
from adapter.trial.points import POINTS, Points
from adapter.trial.record import Dose


@pytest.mark.parametrize("missing", [(), (0,), (1, 8), tuple(range(len(POINTS)))])
def test_packed_points_are_the_points(missing: tuple[int, ...]) -> None:
    values = tuple(None if at in missing else 36.5 + at for at in range(len(POINTS)))
    refs = tuple(f"Observation/{at}" for at in range(len(POINTS)) if at not in missing)
    kept = packed(Points(values, refs))
    assert (kept.values, tuple(kept.refs), kept.whole) == (values, refs, not missing)


def dose(number: int, day: int, *, given: bool = True, amount: float | None = None) -> Dose:
    stated = None if amount else (15.0, "mg/m2")
    return Dose(f"MedicationAdministration/{number}", "x", date(2019, 6, day), None, given, amount, "mg", stated)


def test_a_treatment_tells_days_and_how_its_doses_were_calculated_and_counts_a_held_dose_as_a_day() -> None:
    found = treatment([dose(1, 3), dose(2, 5), dose(3, 4, given=False)])
    assert (found.first, found.last, found.days) == (date(2019, 6, 3), date(2019, 6, 5), 3)
    assert found.amounts == ("15 mg/m2",)
    assert found.refs == [f"MedicationAdministration/{number}" for number in (1, 2, 3)]


def test_flat_doses_are_told_by_how_often_a_day_they_are_due() -> None:
    assert treatment([dose(1, 3, amount=10.0)]).amounts == ("10 mg/day",)
    assert treatment([dose(1, 3, amount=10.0), dose(2, 3, amount=10.0)]).amounts == ("10 mg q12h",)


def test_numbers_that_rest_on_the_same_share_it_in_whatever_order_it_came() -> None:
    file = BytesIO()
    shelf = Shelf(file)
    first, other = shelf.put(["Observation/b", "", "Observation/a", "Observation/b"]), shelf.put(["Procedure/c"])
    length = len(file.getvalue())
    assert shelf.put(["Observation/a", "Observation/b"]) is first
    assert len(file.getvalue()) == length
    assert (first.listed(), first.count) == (["Observation/a", "Observation/b"], 2)
    assert other.joined(" ") == "Procedure/c"


def test_a_number_may_rest_on_nothing() -> None:
    assert Shelf(BytesIO()).put([""]).listed() == []
