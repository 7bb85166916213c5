"""Converters from HL7 v2 data types to FHIR types, one file per family; `as:` in a rule names one of them."""

from collections.abc import Mapping

from adapter.mapper.datatypes import (
    appointment,
    charge,
    cwe,
    cx,
    dg1,
    dtm,
    ed,
    event_status,
    iam,
    in1,
    master,
    nk1,
    nm,
    nte,
    obx,
    pl,
    pr1,
    quantity,
    reference_range,
    references,
    referral,
    rol,
    st,
    trial,
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
    pl,
    quantity,
    obx,
    ed,
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
    appointment,
    event_status,
    charge,
    referral,
    master,
)

CONVERTERS: Mapping[str, Converter] = {
    converter.name: converter for family in FAMILIES for converter in family.CONVERTERS
}

__all__ = ["CONVERTERS", "Bound", "Converter", "Doubt"]
