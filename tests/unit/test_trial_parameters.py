from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.trial.parameters import load_parameters
from adapter.trial.plan import load_plan
from adapter.trial.rules import load_rules
from tests.trial_stand import MAPPINGS


def folder(tmp_path: Path, name: str, old: str, new: str) -> Path:
    (tmp_path / "trial").mkdir()
    text = (MAPPINGS / "trial" / name).read_text("utf-8")
    assert old in text
    (tmp_path / "trial" / name).write_text(text.replace(old, new), "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("early-hours: {value: 24.0, source:", "early-hours: {value: 24.0, note:", "must be {value"),
        ("early-hours: {value: 24.0,", "early-hours: {value: soon,", "crs.early-hours: .*number"),
        (
            "variant: {value: glucksberg-consensus,",
            "variant: {value: glucksberg-consensus, open: '', source: '',",
            "twice",
        ),
        ("value: never", "value: sometimes", "'never', 'when-low' or 'always'"),
        ("'[+-]7'", "'[+-7'", "is no expression"),
        ("  dose-tolerance-percent", "  dose-tolerance", "plan.dose-tolerance"),
        ("AML: {value: IWG2003", "AML: {value: IWG2010", "IWG2003"),
    ],
)
def test_mistake_in_a_parameter_stops_the_start(tmp_path: Path, old: str, new: str, says: str):
    with pytest.raises(MappingError, match=says):
        load_parameters(folder(tmp_path, "parameters.yaml", old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("ctcae-v3.yaml", "measured: LYMPH", "measured: LYMPHO", "'LYMPHO' is no measurement of terms.yaml"),
        ("ctcae-v3.yaml", "absent: {measured: ANC", "absent: {measured: AGC", "'AGC' is no measurement"),
        ("plan.yaml", "      idarubicin:", "      idarubicine:", "'idarubicine' is no drug of terms.yaml"),
        ("plan.yaml", "until: {measured: ANC", "until: {measured: AGC", "'AGC' is no measurement"),
    ],
)
def test_name_that_the_terms_do_not_know_stops_the_start(tmp_path: Path, name: str, old: str, new: str, says: str):
    (tmp_path / "trial").mkdir()
    for file in (MAPPINGS / "trial").glob("*.yaml"):
        text = file.read_text("utf-8")
        assert file.name != name or old in text
        (tmp_path / "trial" / file.name).write_text(text.replace(old, new) if file.name == name else text, "utf-8")
    with pytest.raises(MappingError, match=says):
        load_rules(tmp_path)


def test_parameter_whose_source_is_empty_stops_the_start(tmp_path: Path):
    text = 'early-hours: {value: 24.0, source: "paper, Results: within 24 h after allo-TLI"}'
    with pytest.raises(MappingError, match="must say its source, or what is open"):
        load_parameters(folder(tmp_path, "parameters.yaml", text, 'early-hours: {value: 24.0, source: ""}'))


def test_error_names_the_line_of_the_family(tmp_path: Path):
    broken = folder(tmp_path, "parameters.yaml", "  days: {value: 7,", "  days: {value: 7.5,")
    line = (broken / "trial" / "parameters.yaml").read_text("utf-8").splitlines().index("crs:") + 1
    with pytest.raises(MappingError) as raised:
        load_parameters(broken)
    assert f":{line}: crs.days" in str(raised.value)


def test_plan_that_gives_days_and_their_number_stops_the_start(tmp_path: Path):
    with pytest.raises(MappingError, match="says its days and their number"):
        load_plan(folder(tmp_path, "plan.yaml", "days: [-5, -4, -3]}", "days: [-5, -4, -3], number: 3}"))
