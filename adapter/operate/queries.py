"""The queries of the trial office as JSON objects, from what is stored now."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from adapter.operate.trial_records import Readable, records
from adapter.request_errors import BadParameter
from adapter.trial.queries import Query, load_queries, queries
from adapter.trial.querying.case import Case
from adapter.trial.querying.limits import SEVERITIES, QueryRules
from adapter.trial.rules import TrialRules, load_rules


@dataclass(frozen=True, slots=True)
class Asking:
    """The rules of the queries, read once."""

    trial: TrialRules
    rules: QueryRules

    @classmethod
    def load(cls, mappings: Path) -> "Asking":
        """Read them from the folder.

        Raises:
            MappingError: a file cannot be read, or does not say what it must.
        """
        trial = load_rules(mappings)
        return cls(trial, load_queries(mappings, trial))


@dataclass(frozen=True, slots=True)
class Only:
    """Which queries are asked for; what is empty restricts nothing."""

    subject: str = ""
    site: str = ""
    rule: str = ""
    severity: str = ""

    def checked(self, rules: QueryRules) -> "Only":
        """The same.

        Raises:
            BadParameter: there is no such rule or severity.
        """
        if self.rule and self.rule not in rules.queries:
            raise BadParameter(f"rule is one of {', '.join(sorted(rules.queries))}")
        if self.severity and self.severity not in SEVERITIES:
            raise BadParameter(f"severity is one of {', '.join(SEVERITIES)}")
        return self

    def holds(self, query: Query) -> bool:
        """Whether a query is asked for."""
        site = not self.site or self.site.upper() in query.hospitals
        return site and self.rule in {"", query.rule} and self.severity in {"", query.severity}


def listing(database: Readable, asking: Asking, only: Only, *, as_of: date) -> Iterator[dict[str, Any]]:
    """The queries that are open now, subject by subject, the gravest of each first.

    Args:
        database: the store.
        asking: the rules.
        only: which.
        as_of: today, in the hospitals' time (or the day that counts as it).

    Raises:
        BadParameter: there is no such rule or severity.
    """
    only = only.checked(asking.rules)
    for known in records(database, asking.trial.terms, subject=only.subject):
        case = Case(known, asking.trial, asking.rules, as_of)
        yield from (asdict(one) for one in queries(case) if only.holds(one))
