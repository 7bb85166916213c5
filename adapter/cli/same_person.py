"""`adapter same-person`: a number that seems to be another person's is not."""

from adapter.cli.repairing import command
from adapter.store.repair import SAME_PERSON

same_person = command(
    SAME_PERSON,
    """Say that a message held for its demographics (H2F-3106) is of the stored patient: it goes on, and is believed.

Where it is another person, the hospital gave one number twice: `adapter release` puts the message aside until the
person has a number of their own. Shows the plan; `--yes --reason TEXT` does it.

[dim]adapter same-person 4711 --yes --reason "name corrected, identity card seen"[/]
""",
)
