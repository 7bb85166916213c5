"""What an operator asks and does: one set of answers, for the command line and for the API alike."""
