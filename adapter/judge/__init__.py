"""The judge: before anything of a message is written, it is compared with what is stored.

A rule (`rules.py`) names the stored resources that it needs, and says what it finds; `facts.py` reads what all
messages of a batch need in a few queries; `judge.py` gives each message its verdict. A message that no rule asks
anything for costs nothing.
"""
