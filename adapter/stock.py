"""What the program reads once, at its start: everything under mappings/ and profiles/."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from adapter.access.compiler import Compiler
from adapter.access.roles import load_roles
from adapter.convert import Converted, convert
from adapter.data import data_folder
from adapter.fhir.profiles import definitions
from adapter.fhir.pseudonymised import Projection, load_projection
from adapter.fhir.search_params import SearchIndex
from adapter.fhir.search_params import load as load_search_index
from adapter.guide.guide import Guide
from adapter.guide.made import made
from adapter.hl7v2.slim import stored
from adapter.imports.sheet import Sheet, load_sheets
from adapter.judge.rules import Known
from adapter.judge.rules import rules as judging
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.mapper.engine import Mapped
from adapter.mapper.placeholders import load_placeholders
from adapter.operate.queries import Asking
from adapter.replay.present import Present
from adapter.store.lanes import Claimed
from adapter.store.merge import load_merge_rules
from adapter.store.reach import IDENTIFIED, PSEUDONYMISED
from adapter.trial.study import load_study, subject_number
from adapter.worker import Rules

DEFINED = "1970-01-01T00:00:00Z"
"""The time of the store's own resources: whatever the files say now replaces what they said before."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Mappings and profiles, read and checked."""

    catalog: Catalog
    rules: Rules
    search_index: SearchIndex
    mappings: Path
    profiles: Path
    sheets: Mapping[str, Sheet]
    asking: Asking
    access: Compiler
    own: Sequence[dict[str, Any]]
    projection: Projection

    @classmethod
    def load(cls, mappings: Path | None = None) -> "Stock":
        """Read and check them.

        Args:
            mappings: another folder than that of this installation.

        Raises:
            MappingError: the first thing that is wrong, with file and line.
        """
        mappings, profiles = mappings or data_folder("mappings"), data_folder("profiles")
        index, catalog = load_search_index(profiles), load_catalog(mappings)
        rules = worker_rules(mappings, catalog, index)
        own = [*definitions(profiles), *made(mappings, profiles, catalog)]
        projection = load_projection(profiles, index.parameters, own)
        indexes = {IDENTIFIED.name: index, PSEUDONYMISED.name: projection.index(index)}
        access = Compiler(load_roles(profiles, index.parameters), indexes)
        sheets, asking = load_sheets(mappings), Asking.load(mappings)
        return cls(catalog, rules, index, mappings, profiles, sheets, asking, access, own, projection)

    def convert(self, claimed: Claimed) -> Converted:
        """Convert a message of the inbox by these mappings.

        Raises:
            AdapterError: it cannot be converted.
        """
        raw = stored(claimed.raw) if claimed.large else claimed.raw
        return convert(raw, catalog=self.catalog, site=self.catalog.sites[claimed.site])

    def guide(self) -> Guide:
        """The pages of the implementation guide."""
        return Guide(self.mappings, self.profiles, self.catalog, self.search_index)

    def present(self) -> Present:
        """What messages are converted again by; with the store's own resources (the study, its definitions)."""
        own = [
            Mapped(resource, DEFINED, fill=False, defaults=(), cleared=(), map="profiles", patient_id=None)
            for resource in self.own
        ]
        return Present(self.convert, self.rules, own)


def worker_rules(mappings: Path, catalog: Catalog, index: SearchIndex) -> Rules:
    """What a worker follows.

    Raises:
        MappingError: with file and line.
    """
    study = load_study(mappings)
    known = Known(
        load_placeholders(mappings),
        {site.code: site.organization for site in catalog.sites},
        frozenset(site.code for site in catalog.sites if site.intake.unenrolled == "hold"),
        frozenset(row.system for site in catalog.sites for row in site.identifiers.rows if row.check),
        partial(subject_number, study=study),
    )
    return Rules(index, load_merge_rules(mappings), study, catalog.version, judging(known))
