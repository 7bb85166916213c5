"""The mapper: rules of mappings/ compiled, and followed for one message at a time. Pure."""
