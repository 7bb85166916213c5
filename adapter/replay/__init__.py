"""Replay: messages are converted again, and only what they now say differently is written."""
