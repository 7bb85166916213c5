"""Converters from HL7 v2 data types to FHIR types, one file per family; `as:` in a rule names one of them."""

from collections.abc import Mapping

from adapter.mapper.datatypes import (
    cq,
    cwe,
    cx,
    dg1,
    document,
    dosage,
    dtm,
    ed,
    events,
    iam,
    in1,
    moments,
    named,
    nk1,
    nm,
    nte,
    numbers,
    obx,
    performers,
    places,
    pr1,
    quantity,
    reference_range,
    references,
    rol,
    specimen,
    st,
    timing,
    trial,
    vaccination,
    xad,
    xcn,
    xon,
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
    xon,
    places,
    quantity,
    obx,
    ed,
    events,
    reference_range,
    nte,
    references,
    trial,
    dg1,
    iam,
    in1,
    nk1,
    pr1,
    rol,
    cq,
    document,
    dosage,
    moments,
    named,
    numbers,
    performers,
    specimen,
    timing,
    vaccination,
)

CONVERTERS: Mapping[str, Converter] = {
    converter.name: converter for family in FAMILIES for converter in family.CONVERTERS
}

__all__ = ["CONVERTERS", "Bound", "Converter", "Doubt"]
