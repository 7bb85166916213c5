"""What mappings/trial/queries.yaml says: limits, plausible values, how grave a query is and its text."""

from string import Formatter
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from adapter.trial.checked import LISTED, STATED, Number, Part, Text, Whole
from adapter.trial.matching import Matching

Severity = Literal["critical", "major", "minor"]
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")
Texts = Annotated[tuple[str, ...], LISTED, STATED]


class Limits(Part):
    """The limits of the rules."""

    marrow_day: Whole = Field(alias="marrow-day")
    marrow_days_off: Whole = Field(alias="marrow-days-off")
    marrow_key: Text = Field(alias="marrow-key")
    report_days: Whole = Field(alias="report-days")
    response_days: Whole = Field(alias="response-days")
    infusion_days: Whole = Field(alias="infusion-days")
    event_open_days: Whole = Field(alias="event-open-days")
    contact_days: Whole = Field(alias="contact-days")
    dose_percent: Number = Field(alias="dose-percent")
    site_of: Texts = Field(alias="site-of")
    says_site: Texts = Field(alias="says-site")
    hla: Texts
    outcome_closed: Texts = Field(alias="outcome-closed")


def _range(said: Any) -> Any:
    return dict(zip(("low", "high"), cast("list[Any]", said), strict=False)) if isinstance(said, list) else said


class Range(Part):
    """The lowest and the highest plausible value, written as `[0, 200]`."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.low >= self.high:
            raise ValueError("the lowest value comes first")
        return self


class QueryText(Part):
    """How grave a query is, and what it says; `{name}` stands for a value of the finding."""

    severity: Severity
    text: str

    @property
    def names(self) -> frozenset[str]:
        """The values that the text asks for."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.text) if name is not None)


class QueryRules(Part):
    """The whole file."""

    limits: Limits
    matching: Matching
    plausible: dict[str, Annotated[Range, BeforeValidator(_range)]]
    queries: dict[str, QueryText]
