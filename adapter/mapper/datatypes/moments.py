"""When an order was written, when a specimen was taken. v2-to-FHIR guide: ORC[ServiceRequest], SPM[Specimen]."""

from typing import Any

from adapter.hl7v2.message import Field
from adapter.mapper.datatypes.converter import Bound, Converter, first
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.datatypes.references import bind_effective
from adapter.mapper.sites import Site

NEW_ORDER = "NW"


def _bind_authored(site: Site, _paths: tuple[str, ...]) -> Bound:
    """ORC-9 is the time of the transaction: when the order was written only where it is new (ORC-1)."""
    moment = bind_datetime(site)

    def authored_on(time: Field, control: Field) -> str | Doubt | None:
        return moment(time[0]) if time and first(control) == NEW_ORDER else None

    return authored_on


def _bind_collected(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """One time is a dateTime, two are a Period, as effective[x] is."""
    effective = bind_effective(site)

    def collected(start: Field, end: Field) -> Any:
        made = effective(start, end)
        found: dict[str, Any] = without_doubt(made) or {}
        written = {name.replace("effective", "collected"): value for name, value in found.items()} or None
        return doubted_as(made, written)

    return collected


def _bind_collected_range(site: Site, _paths: tuple[str, ...]) -> Bound:
    collected = _bind_collected(site)

    def dr_collected(field: Field) -> Any:
        start, end = (((field[0][at],),) if field and len(field[0]) > at else () for at in (0, 1))
        return collected(start, end if end and any(end[0][0]) else ()) if start else None

    return dr_collected


CONVERTERS = (
    Converter("DTM-authoredOn", "dateTime", _bind_authored, sources=2, reads=frozenset({1})),
    Converter("DTM-DTM-collected", "collected[x]", _bind_collected, sources=2, reads=frozenset({1})),
    Converter("DR-collected", "collected[x]", _bind_collected_range, whole=True, reads=frozenset({1, 2})),
)
