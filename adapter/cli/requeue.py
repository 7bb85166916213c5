"""`adapter requeue`: messages are converted again."""

from adapter.cli import repairing as options
from adapter.cli.repairing import Asked, repair
from adapter.store.repair import REQUEUE


def requeue(
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
    """Convert messages again: what was held when its cause is mended, what had no map when there is one.

    Shows the plan; `--yes --reason TEXT` does it, in the order in which the messages came for each patient. Without
    `--state` those are meant that are held or unmapped. A second run finds nothing more. Works beside the running
    program, which does it; who did it and why is kept with each message.

    [dim]adapter requeue --cause H2F-3002 --site FAHZU --yes --reason "map for BAR^P01 added"[/]
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
    repair(Asked(REQUEUE, number, filters, data, database_url, url, reason, actor, yes, as_json))
