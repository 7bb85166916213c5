"""HL7 v2 to FHIR R4 adapter for a multi-centre cell-therapy trial."""
