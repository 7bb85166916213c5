"""What the program reads once, at its start: everything under mappings/ and profiles/."""

from dataclasses import dataclass
from pathlib import Path

from adapter.data import data_folder
from adapter.fhir.search_params import SearchIndex
from adapter.fhir.search_params import load as load_search_index
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.store.merge import load_merge_rules
from adapter.trial.study import load_study
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
        rules = Rules(index, load_merge_rules(mappings), load_study(mappings))
        return cls(load_catalog(mappings), rules, index, profiles)
