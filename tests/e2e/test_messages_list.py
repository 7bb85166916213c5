"""`adapter messages` shows what senders wrote, and is never led by it."""

from pathlib import Path

from tests.e2e.stand import command
from tests.integration.intake_stand import receive, result


def test_b13_markup_and_escapes_in_msh_10_are_shown_as_they_are_and_rule_no_terminal(tmp_path: Path):
    numbers = ["[/red]", "[bold]x", "a\x1b[31mb", "a\u202eb"]
    types = ["BAR^P01", "BAR^P01", "BAR^P01", "[/red]^P01"]
    receive(tmp_path, [result(msh_10=number, msh_9=sent) for number, sent in zip(numbers, types, strict=True)])
    printed = command("messages", "--data", str(tmp_path))
    assert printed.count("[/red]") == 2
    assert "[bold]x" in printed
    assert printed.count("to be mended by: sending hospital") == len(numbers)
    assert "\x1b" not in printed
    assert "\u202e" not in printed
