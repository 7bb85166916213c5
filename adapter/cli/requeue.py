"""`adapter requeue`: messages are converted again."""

from adapter.cli.repairing import command
from adapter.store.repair import REQUEUE

requeue = command(
    REQUEUE,
    """Convert messages again: what was held when its cause is mended, what had no map when there is one.

Shows the plan; `--yes --reason TEXT` does it, in the order in which the messages came for each patient. Without
`--state` those are meant that are held or unmapped. A second run finds nothing more. Works beside the running
program, which does it; who did it and why is kept with each message.

[dim]adapter requeue --cause H2F-3002 --site FAHZU --yes --reason "map for BAR^P01 added"[/]
""",
)
