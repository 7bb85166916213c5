"""All data of the trial's rules, read at start, and whether the files speak of the same things."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from adapter.errors import MappingError
from adapter.trial.ctcae_rules import Rules, load_ctcae
from adapter.trial.gvhd import GvhdRules, load_gvhd
from adapter.trial.parameters import Parameters, load_parameters
from adapter.trial.plan import Plan, load_plan
from adapter.trial.terms import Terms, load_terms


@dataclass(frozen=True, slots=True)
class TrialRules:
    """What mappings/trial/ says of the rules."""

    terms: Terms
    parameters: Parameters
    ctcae: Rules
    gvhd: GvhdRules
    plan: Plan


def load_rules(mappings: Path) -> TrialRules:
    """Read terms, parameters, CTCAE, aGvHD tables and plan of the folder.

    Raises:
        MappingError: a file cannot be read, does not say what it must, or names a measurement or a drug that terms.yaml
            does not know.
    """
    terms, parameters = load_terms(mappings), load_parameters(mappings)
    rules = TrialRules(
        terms,
        parameters,
        load_ctcae(mappings, parameters.ctcae.fibrinogen_decrease),
        load_gvhd(mappings, parameters.gvhd),
        load_plan(mappings),
    )
    for name, known, unknown in _unknown(rules):
        raise MappingError(f"{unknown!r} is no {known} of terms.yaml", file=mappings / "trial" / name, line=1)
    return rules


def _unknown(rules: TrialRules) -> Iterator[tuple[str, str, str]]:
    """File, kind and name of what the terms do not know."""
    measured = set(rules.terms.units)
    for term in rules.ctcae.terms.values():
        of_term = (term.measured, term.absent.measured) if term.absent else (term.measured,)
        yield from (("ctcae-v3.yaml", "measurement", one) for one in of_term if one not in measured)
    drugs = set(rules.terms.drugs.values())
    for arm in rules.plan.arms.values():
        for name, drug in chain(arm.induction.items(), arm.consolidation.items()):
            if name not in drugs:
                yield "plan.yaml", "drug", name
            if drug.until and drug.until.measured not in measured:
                yield "plan.yaml", "measurement", drug.until.measured
