"""What the program reads once, at its start: everything under mappings/ and profiles/."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapter.data import data_folder
from adapter.fhir.search_params import SearchIndex
from adapter.fhir.search_params import load as load_search_index
from adapter.judge.rules import Known
from adapter.judge.rules import rules as judging
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.mapper.placeholders import load_placeholders
from adapter.store.merge import load_merge_rules
from adapter.trial.study import load_study, subject_number
from adapter.worker import Rules


@dataclass(frozen=True, slots=True)
class Stock:
    """Mappings and profiles, read and checked."""

    catalog: Catalog
    rules: Rules
    search_index: SearchIndex
    profiles: Path

    @classmethod
    def load(cls) -> "Stock":
        """Read and check them.

        Raises:
            MappingError: the first thing that is wrong, with file and line.
        """
        mappings, profiles = data_folder("mappings"), data_folder("profiles")
        index = load_search_index(profiles)
        catalog = load_catalog(mappings)
        return cls(catalog, worker_rules(mappings, catalog, index), index, profiles)


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
    return Rules(index, load_merge_rules(mappings), study, judging(known))
