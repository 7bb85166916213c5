"""The paper's tables and figures, recomputed from what a FHIR server answers."""
