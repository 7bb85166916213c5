"""HL7 v2 in its ER7 encoding: bytes to segments, the standard's grammar, acknowledgements. Pure."""
