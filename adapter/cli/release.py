"""`adapter release`: what is held lets the others go on."""

from adapter.cli import repairing as options
from adapter.cli.repairing import Asked, repair
from adapter.store.repair import RELEASE


def release(
    number: options.Number = None,
    site: options.SiteName = "",
    state: options.StateName = "",
    message_type: options.TypeName = "",
    since: options.Since = "",
    until: options.Until = "",
    control_id: options.ControlId = "",
    cause: options.Cause = "",
    flag: options.Flag = "",
    lane: options.Lane = "",
    reason: options.Reason = "",
    actor: options.Actor = "",
    data: options.Data = None,
    database_url: options.Url = None,
    url: options.Program = "",
    *,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Let a lane go on without the message that holds it, or accept what was refused as a whole.

    The message is put aside in state `ignored`; it is kept, and `adapter requeue --state ignored` brings it back. Shows
    the plan; `--yes --reason TEXT` does it. A second run finds nothing more.

    [dim]adapter release 4711 --yes --reason "test patient, agreed with the ward"[/]
    """
    filters = {
        "site": site,
        "state": state,
        "type": message_type,
        "since": since,
        "until": until,
        "control_id": control_id,
        "cause": cause,
        "flag": flag,
        "lane": lane,
    }
    repair(Asked(RELEASE, number, filters, data, database_url, url, reason, actor, yes, as_json))
