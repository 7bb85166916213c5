"""Tables that come once as a file and not from a hospital: each row becomes HL7 v2 messages, which go the way of all.

Pure: bytes of a file and a sheet of mappings/imports/ in, rows that are refused and messages out.
"""
