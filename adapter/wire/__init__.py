"""Bytes on the wire: framing, the listener that receives, the sender that sends. Knows nothing of HL7 beyond MSA-1."""
