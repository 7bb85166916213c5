"""The demonstration: a small whole trial through the real program, over real sockets."""
