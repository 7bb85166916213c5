"""FHIR R4 (4.0.1): its models, its JSON, its search parameters."""
