"""`adapter requeue` and `adapter release` as they are alike: filters, the plan, the question, the progress."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from adapter.cli.running import repairing, user
from adapter.cli.terminal import OUT, progress, shown
from adapter.fhir import json
from adapter.operate.asked import asked_for
from adapter.operate.repairs import Chosen
from adapter.request_errors import BadParameter
from adapter.settings import load_settings
from adapter.store.repair import Doing

Number = Annotated[int | None, typer.Argument(help="One message, by its number.")]
Data = Annotated[Path | None, typer.Option(help="The data folder (ADAPTER_DATA).")]
Url = Annotated[str | None, typer.Option(help="The database (ADAPTER_DATABASE_URL).")]
Program = Annotated[str, typer.Option("--url", help="A program elsewhere; needs ADAPTER_OPERATOR_TOKEN.")]
SiteName = Annotated[str, typer.Option(help="Only this hospital.")]
StateName = Annotated[str, typer.Option(help="Only this state.")]
TypeName = Annotated[str, typer.Option("--type", help="Only this type: ORU^R01, or ORU.")]
Since = Annotated[str, typer.Option(help="Received from this time on: 2026-03-01T08:00, perhaps with +08:00.")]
Until = Annotated[str, typer.Option(help="Received before this time.")]
ControlId = Annotated[str, typer.Option(help="Only this MSH-10.")]
Cause = Annotated[str, typer.Option(help="Only this cause: H2F-3001.")]
Flag = Annotated[str, typer.Option(help="Only with this flag: control_id_reused.")]
Lane = Annotated[str, typer.Option(help="Only this lane (site and digest of a patient).")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with each message. Needed with --yes.")]
Actor = Annotated[str, typer.Option(help="Who; default: the user of this machine.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this only the plan is shown.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say."""

    kind: str
    number: int | None
    filters: Mapping[str, str]
    data: Path | None
    database_url: str | None
    url: str
    reason: str
    actor: str
    yes: bool
    as_json: bool


def command(kind: str, text: str) -> Callable[..., None]:
    """A command that repairs messages in this way (`REQUEUE`, `RELEASE`); `text` is what its help says."""

    def repairs(
        number: Number = None,
        site: SiteName = "",
        state: StateName = "",
        message_type: TypeName = "",
        since: Since = "",
        until: Until = "",
        control_id: ControlId = "",
        cause: Cause = "",
        flag: Flag = "",
        lane: Lane = "",
        reason: Reason = "",
        actor: Actor = "",
        data: Data = None,
        database_url: Url = None,
        url: Program = "",
        *,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
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
        _repair(_Asked(kind, number, filters, data, database_url, url, reason, actor, yes, as_json))

    repairs.__doc__ = text
    return repairs


def _repair(asked: _Asked) -> None:
    """Plan, show the plan, and with `--yes` do it in parts.

    Raises:
        BadParameter: neither a message nor a filter was given, or no reason.
    """
    if asked.yes and not asked.reason.strip():
        raise BadParameter("--yes needs --reason: it is kept with each message")
    settings = load_settings(data=asked.data, database_url=asked.database_url)
    chosen = Chosen(asked.kind, asked_for({name: text for name, text in asked.filters.items() if text}), asked.number)
    doing = Doing(asked.kind, asked.actor or user(), asked.reason)
    with repairing(settings, chosen, url=asked.url) as (plan, carry_out):
        planned = plan()
        if not asked.as_json:
            _show(planned)
        done = 0
        if asked.yes and planned["messages"]:
            with progress() as bar:
                task = bar.add_task(asked.kind, total=planned["messages"])
                left = 1
                while left:
                    part = carry_out(planned["plan"], doing)
                    done, left = done + part["done"], part["left"]
                    bar.update(task, completed=done)
    _end(asked, planned, done)


def _show(planned: dict[str, Any]) -> None:
    table = Table("site", "state", "type", "answered", "messages", "oldest", "newest", title=f"Plan: {planned['kind']}")
    for one in planned["parts"]:
        cells = (one["site"], one["state"], one["type"], one["answered"], one["messages"], one["oldest"], one["newest"])
        table.add_row(*(shown(str(cell)) for cell in cells))
    OUT.print(table)
    OUT.print(f"{planned['messages']} messages of {planned['patients']} patients: {planned['would']}", markup=False)


def _end(asked: _Asked, planned: dict[str, Any], done: int) -> None:
    if asked.as_json:
        sys.stdout.buffer.write(json.dumps({**planned, "done": done}) + b"\n")
    elif asked.yes:
        OUT.print(f"done: {done}", markup=False)
    elif planned["messages"]:
        OUT.print("nothing was changed; to do it: --yes --reason TEXT", markup=False)
