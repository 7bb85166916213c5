"""The mappings of the project, read once per process: reading and compiling them takes a second."""

from functools import cache

from adapter.data import data_folder
from adapter.mapper.catalog import Catalog, load_catalog


@cache
def catalog() -> Catalog:
    """The catalogue of `mappings/`; no test changes it."""
    return load_catalog(data_folder("mappings"))
