"""The FHIR API, HL7 over HTTP and the health checks."""
