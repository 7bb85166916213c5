"""`adapter token`: a token for first steps."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from adapter.access.roles import load_roles
from adapter.cli import repairing as options
from adapter.cli.running import post, reached
from adapter.data import data_folder
from adapter.fhir import json
from adapter.fhir.profiles import served_types
from adapter.operate.first_tokens import EVERYTHING, Order, give
from adapter.settings import load_settings
from adapter.store.database import Database


def token(
    role: Annotated[str, typer.Option(help="A role of profiles/roles.yaml: site, data-manager, operator")],
    site: Annotated[str, typer.Option(help="The hospital, for a role that is for one.")] = "",
    scope: Annotated[str, typer.Option(help="SMART scopes; never more than the role has.")] = EVERYTHING,
    minutes: Annotated[int, typer.Option(help="How long it lasts.")] = 60,
    data: options.Data = None,
    database_url: options.Url = None,
    *,
    as_json: options.AsJson = False,
) -> None:
    """Print a short-lived token for FHIR, for someone who has the data folder.

    For first steps and for programs of this machine.

    [dim]curl -H "Authorization: Bearer $(adapter token --role site --site FAHZU --data adapter-data)" …/fhir/Patient[/]
    """
    settings = load_settings(data=data, database_url=database_url)
    order = Order(role, site, scope, minutes)
    with reached(settings) as reach:
        if isinstance(reach, Database):
            profiles = data_folder("profiles")
            roles = load_roles(profiles, served_types(profiles))
            given = give(reach, roles, order, datetime.now(UTC))
        else:
            said = {"role": order.role, "site": order.site, "scope": order.scope, "minutes": order.minutes}
            given = post(reach, "token", said)
    sys.stdout.write(f"{json.dumps(given).decode() if as_json else given['access_token']}\n")
