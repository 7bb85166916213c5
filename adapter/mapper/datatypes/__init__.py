"""Converters from HL7 v2 data types to FHIR types, one file per family; `as:` in a rule names one of them."""

from collections.abc import Mapping

from adapter.mapper.datatypes import (
    appointment,
    cwe,
    cx,
    dtm,
    ed,
    nm,
    nte,
    obx,
    quantity,
    reference_range,
    references,
    st,
    trial,
    xad,
    xcn,
    xpn,
    xtn,
)
from adapter.mapper.datatypes.converter import Bound, Converter
from adapter.mapper.datatypes.doubt import Doubt

FAMILIES = (
    st,
    nm,
    dtm,
    cx,
    xpn,
    xad,
    xtn,
    cwe,
    xcn,
    quantity,
    obx,
    ed,
    reference_range,
    nte,
    references,
    trial,
    appointment,
)

CONVERTERS: Mapping[str, Converter] = {
    converter.name: converter for family in FAMILIES for converter in family.CONVERTERS
}

__all__ = ["CONVERTERS", "Bound", "Converter", "Doubt"]
