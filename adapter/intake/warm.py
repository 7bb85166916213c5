"""Compiling the grammar before the first message needs it: beside the service, which listens meanwhile."""

from adapter.hl7v2 import grammar
from adapter.mapper.catalog import Catalog

_FIRST = ("2.5.1", "2.6", "2.3.1", "2.4")
"""The versions that hospitals send most; the others follow."""


def warm(catalog: Catalog) -> None:
    """Compile every structure that is accepted, in every version: about a third of a second, in a thread of its own."""
    events = sorted({*catalog.messages, *catalog.kept, *catalog.ignored})
    for version in (*_FIRST, *(one for one in grammar.versions() if one not in _FIRST)):
        for event in events:
            message_type, _, trigger = event.partition("^")
            structure = grammar.structure(message_type, trigger, version)
            if structure:
                grammar.shape(structure, version, ("MSH",))
