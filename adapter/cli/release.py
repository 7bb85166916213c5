"""`adapter release`: what is held lets the others go on."""

from adapter.cli.repairing import command
from adapter.store.repair import RELEASE

release = command(
    RELEASE,
    """Let a lane go on without the message that holds it, or accept what was refused as a whole.

The message is put aside in state `ignored`; it is kept, and `adapter requeue --state ignored` brings it back. Shows
the plan; `--yes --reason TEXT` does it. A second run finds nothing more.

[dim]adapter release 4711 --yes --reason "test patient, agreed with the ward"[/]
""",
)
