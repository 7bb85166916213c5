"""PR1: when a procedure was done. v2-to-FHIR guide: PR1[Procedure], PR1-5 and PR1-7."""

from datetime import datetime, timedelta
from typing import Any

from adapter.hl7v2.message import Field
from adapter.mapper.datatypes.converter import Bound, Converter
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.datatypes.nm import nm_decimal
from adapter.mapper.sites import Site

LONGEST_MINUTES = 366 * 24 * 60


def _bind_performed(site: Site, _paths: tuple[str, ...]) -> Bound:
    moment = bind_datetime(site)

    def performed(start: Field, minutes: Field) -> dict[str, Any] | Doubt | None:
        """A time alone is a dateTime; with minutes and a time of day it is a Period."""
        made = moment(start[0]) if start else None
        began = without_doubt(made)
        if began is None:
            return made
        took = without_doubt(nm_decimal(minutes[0])) if minutes else None
        value: dict[str, Any] = {"performedDateTime": began}
        if took is not None and "T" in began and 0 < took < LONGEST_MINUTES:
            end = datetime.fromisoformat(began) + timedelta(minutes=float(took))
            value = {"performedPeriod": {"start": began, "end": end.isoformat(timespec="seconds")}}
        return doubted_as(made, value)

    return performed


CONVERTERS = (Converter("PR1-performed", "performed[x]", _bind_performed, sources=2),)
