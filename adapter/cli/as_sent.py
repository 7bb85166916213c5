"""`adapter as-sent`: what is odd about a held message is right all the same."""

from adapter.cli.repairing import command
from adapter.store.repair import AS_SENT

as_sent = command(
    AS_SENT,
    """Say that a message is right although it is held: the visit of an old number goes on (H2F-3111), a date is as it
was sent (H2F-3112), an order ends that never came (H2F-3113). It goes on, and is believed.

Where it is wrong, the hospital sends it again, and `adapter release` puts this one aside. Shows the plan; `--yes
--reason TEXT` does it.

[dim]adapter as-sent 4711 --yes --reason "readmitted within the hour, the ward has confirmed it"[/]
""",
)
