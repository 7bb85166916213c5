"""What the trial's rules leave to a choice (mappings/trial/parameters.yaml), checked at start."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from adapter.trial.checked import LISTED, STATED, Number, Part, Text, Whole, Yes, read
from adapter.trial.ctcae_rules import Decrease


def _expressions(said: tuple[str, ...]) -> tuple[str, ...]:
    for one in said:
        try:
            re.compile(one)
        except re.error as error:
            raise ValueError(f"{one!r} is no expression: {error}") from None
    return said


Texts = Annotated[tuple[str, ...], LISTED, STATED]
Expressions = Annotated[tuple[str, ...], AfterValidator(_expressions), LISTED, STATED]
Criteria = Annotated[Literal["IWG2003", "IWG2006"], STATED]


class Ctcae(Part):
    """Grades of CTCAE."""

    fibrinogen_decrease: Annotated[Decrease, STATED] = Field(alias="fibrinogen-decrease")


class Crs(Part):
    """Cytokine release syndrome by Lee 2014."""

    fever_above: Number = Field(alias="fever-above")
    days: Whole
    early_hours: Number = Field(alias="early-hours")
    systolic_below: Number = Field(alias="systolic-below")
    oxygen_high: Number = Field(alias="oxygen-high")
    air: Number
    organ_toxicity_counts: Yes = Field(alias="organ-toxicity-counts")
    not_organ_toxicity: Texts = Field(alias="not-organ-toxicity")


class Response(Part):
    """Response by the International Working Group."""

    criteria: dict[str, Criteria]
    marrow_days: Whole = Field(alias="marrow-days")
    blood_days: Whole = Field(alias="blood-days")
    limits_included: Yes = Field(alias="limits-included")
    marrow_cr_is: Text = Field(alias="marrow-cr-is")


class Ipss(Part):
    """International Prognostic Scoring System."""

    anc_below: Number = Field(alias="anc-below")
    platelets_below: Number = Field(alias="platelets-below")
    haemoglobin_below: Number = Field(alias="haemoglobin-below")
    good_alone: Expressions = Field(alias="good-alone")
    poor: Expressions
    complex_from: Whole = Field(alias="complex-from")
    complex_text: Text = Field(alias="complex-text")


class Gvhd(Part):
    """Acute graft-versus-host disease."""

    variant: Text


class Products(Part):
    """Cells: product, aliquots, doses."""

    dose_tolerance: Number = Field(alias="dose-tolerance")


class Tolerances(Part):
    """How far treatment may be off the plan."""

    interval_days: Whole = Field(alias="interval-tolerance-days")
    dose_percent: Number = Field(alias="dose-tolerance-percent")


class Parameters(Part):
    """All of them, by the family of rules."""

    ctcae: Ctcae
    crs: Crs
    response: Response
    ipss: Ipss
    gvhd: Gvhd
    products: Products
    plan: Tolerances


def load_parameters(mappings: Path) -> Parameters:
    """Read trial/parameters.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    return read(mappings / "trial" / "parameters.yaml", Parameters)
