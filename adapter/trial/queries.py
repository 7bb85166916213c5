"""The queries of the trial office: what is missing, implausible or in conflict in a subject's record. Pure.

They are computed from what is there now, and nothing is kept: a query is gone when the data have come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from adapter.errors import MappingError
from adapter.trial.checked import read
from adapter.trial.querying import confirming, courses, doses, enrolment, events, values
from adapter.trial.querying.case import Case, Finding, Rule, site_code, source
from adapter.trial.querying.catalogue import GIVES
from adapter.trial.querying.limits import SEVERITIES, QueryRules, Severity
from adapter.trial.rules import TrialRules

RULES: Sequence[Rule] = (
    *(*enrolment.RULES, *courses.RULES, *doses.RULES, *values.RULES, *events.RULES),
    *confirming.RULES,
)


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    `id` is the same as long as the thing asked about is; `course` is its phase, empty where it is of none; `hospitals`
    are those that treated the subject or sent the resources; `messages` brought them (`FAHZU#1166`: hospital, MSH-10 or
    the number that the adapter gave the message).
    """

    id: str
    rule: str
    severity: Severity
    text: str
    subject: str
    course: str
    hospitals: tuple[str, ...]
    resources: tuple[str, ...]
    messages: tuple[str, ...]


def load_queries(mappings: Path, trial: TrialRules) -> QueryRules:
    """Read trial/queries.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, does not say what it must, has not one text for each rule, or names a
            measurement that is not known.
    """
    file = mappings / "trial" / "queries.yaml"
    rules = read(file, QueryRules)
    for rule in sorted(GIVES.keys() ^ rules.queries.keys()):
        what = "has no text" if rule in GIVES else "is no rule"
        raise MappingError(f"queries: {rule!r} {what}", file=file, line=1)
    for rule, said in rules.queries.items():
        if unknown := said.names - GIVES[rule]:
            raise MappingError(f"queries.{rule}.text: {{{min(unknown)}}} is not given by the rule", file=file, line=1)
    named = (*rules.plausible, *rules.limits.site_of, rules.limits.marrow_key)
    for one in named:
        if one not in trial.terms.units:
            raise MappingError(f"{one!r} is no measurement of terms.yaml", file=file, line=1)
    return rules


def queries(case: Case) -> tuple[Query, ...]:
    """Every query of a subject, the gravest first; none of a historical control, whom nobody can ask about any more."""
    if case.subject.arm not in case.trial.plan.arms:
        return ()
    found = [_query(case, finding) for rule in RULES for finding in rule(case)]
    return tuple(sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.rule, one.course, one.id)))


def _query(case: Case, finding: Finding) -> Query:
    said = case.rules.queries[finding.rule]
    number = case.subject.number
    refs = tuple(dict.fromkeys(finding.refs))
    messages = tuple(sorted({told for ref in refs if (told := _told(case, ref))}))
    key = "\n".join((finding.rule, number, finding.key))
    return Query(
        blake2b(key.encode(), digest_size=6).hexdigest(),
        finding.rule,
        said.severity,
        said.text.format_map(finding.values),
        number,
        finding.course.phase if finding.course else "",
        tuple(sorted({*_hospitals(case, finding), *(one.partition("#")[0] for one in messages)})),
        refs,
        messages,
    )


def _told(case: Case, ref: str) -> str:
    resource = case.resources.get(ref)
    return source(resource) if resource else ""


def _hospitals(case: Case, finding: Finding) -> Iterator[str]:
    """The hospital that treats: where the course's infusion was given, else the one that enrolled."""
    infusion = finding.course.infusion if finding.course else None
    site = case.subject.sites.get(infusion.patient, "") if infusion else ""
    if code := site_code(site or case.subject.site):
        yield code
