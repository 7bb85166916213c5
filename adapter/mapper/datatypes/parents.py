"""OBR-26, OBR-29: the result that led to this order, as a reference that holds before that result has come.

v2-to-FHIR guide: PRL, EIP. Ids come from numbers, so the reference is right whichever of the two comes first (E37).
"""

from typing import Any

from adapter.hl7v2.message import Field
from adapter.mapper.codes import CANONICAL
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.ids import resource_id
from adapter.mapper.sites import Site


def _bind_parent(site: Site, _paths: tuple[str, ...]) -> Bound:
    # As the identity of OBX-Observation.yaml has it: order number, OBX-3.1, OBX-4.
    system = f"{CANONICAL}/NamingSystem/{site.code.lower()}-observation"

    def obr_parent(result: Field, order: Field) -> list[dict[str, Any]] | None:
        if not (result and order):
            return None
        number, code = part(order[0], 2) or part(order[0], 1), part(result[0], 1)
        if not (number and code):
            return None
        value = "/".join(text for text in (number, code, part(result[0], 2)) if text)
        return [{"reference": f"Observation/{resource_id('Observation', system, value)}"}]

    return obr_parent


CONVERTERS = (Converter("OBR-parentResult", "Reference", _bind_parent, sources=2, reads=frozenset({1, 2})),)
