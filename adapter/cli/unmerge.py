"""`adapter unmerge`: what a message merged was not one."""

from adapter.cli.repairing import command
from adapter.store.repair import UNMERGE

unmerge = command(
    UNMERGE,
    """Undo the merges of one message: what came under each number goes back to it, in new versions.

Needs two persons: the first asks, the second (another `--actor`) gives the same command. Shows the plan; `--yes
--reason TEXT` does it.

[dim]adapter unmerge 4711 --yes --reason "two persons, seen by the ward"[/]
""",
)
