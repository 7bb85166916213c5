"""Application acknowledgements of enhanced mode: written when a message has ended, sent as messages of their own."""
