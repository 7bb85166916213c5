"""The HTTP side as one FastAPI application; every path stands here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI

from adapter.access.audit import Trail
from adapter.access.guard import Guard
from adapter.api import canonical, capability, failures, guide_pages, health, metrics, read, search, status
from adapter.api import operator as operate
from adapter.api.access_log import AccessLog
from adapter.api.audited import Audited
from adapter.api.cursors import Cursors
from adapter.api.exchange import Made, Serving, guarded, open_to_all
from adapter.api.gate import Gate, Refused, Terms
from adapter.api.guide_pages import Pages
from adapter.api.hl7_over_http import PostHl7
from adapter.api.metrics import Observed
from adapter.api.operator import Operator
from adapter.store.incidents import Incidents
from adapter.store.reach import IDENTIFIED
from adapter.store.repair import STATES
from adapter.store.secret import secret

# HEAD comes with GET.
_READ = ["GET"]


@dataclass(frozen=True, slots=True)
class Auditing:
    """What the record of reads needs."""

    trail: Trail
    incidents: Incidents
    clock: Callable[[], datetime]


def create_app(  # noqa: PLR0913 - what an application is made of, all named by the caller
    *,
    guard: Guard,
    profiles: Path,
    post_hl7: PostHl7 | None = None,
    auditing: Auditing | None = None,
    made: Mapping[str, Made] | None = None,
    base: str = canonical.DEFAULT,
    pages: Pages | None = None,
) -> FastAPI:
    """Build the application.

    Args:
        guard: who may ask, and where resources are read from.
        profiles: the folder with what is to be served.
        post_hl7: the handler of `POST /hl7` (`hl7_over_http.endpoint`); None serves no such path.
        auditing: where every read is recorded before it is answered; None records nothing, for tests.
        made: by type what makes resources when they are read, beside those that are stored.
        base: what canonical URLs begin with outside.
        pages: the pages of the guide; None serves none.

    Raises:
        MappingError: the profiles cannot be read.
    """
    app = FastAPI(title="FHIR R4", docs_url=None, redoc_url=None, redirect_slashes=False)
    index = guard.compiler.indexes[IDENTIFIED.name]
    statement = capability.statement(profiles, index)
    cursors = Cursors(secret(guard.database, "cursors"), guard.clock)
    app.state.serving = Serving(guard.database, guard, statement, made or {}, cursors)
    _add_fhir(app)
    app.add_api_route("/health/live", health.live, methods=["GET", "HEAD"])
    app.add_api_route("/health/ready", health.ready, methods=["GET", "HEAD"])
    app.add_route("/status", guarded(status.status), methods=_READ)
    if post_hl7 is not None:
        app.add_api_route("/hl7", post_hl7, methods=["POST"])
    if pages is not None:
        app.add_route("/guide", guide_pages.contents, methods=_READ)
        app.add_route("/guide/{name}", guide_pages.endpoint(pages), methods=_READ)
    failures.install(app)
    if base != canonical.DEFAULT:
        app.add_middleware(canonical.Rebased, base=base)
    if auditing is not None:
        app.add_middleware(
            Audited,
            trail=auditing.trail,
            incidents=auditing.incidents,
            clock=auditing.clock,
            types=frozenset(index.parameters) | {"Binary"},
        )
    app.add_middleware(AccessLog, types=frozenset(index.parameters))
    return app


def add_operator(app: FastAPI, operator: Operator, observed: Observed) -> None:
    """Serve `/operator` and `/metrics` too."""
    app.add_route("/metrics", metrics.endpoint(observed), methods=_READ)
    one = "/operator/messages/{number}"
    for path, handler in (
        ("/operator/messages", operate.list_messages),
        (one, operate.one_message),
        (f"{one}/raw", operate.raw_message),
        ("/operator/incidents", operate.list_incidents),
        ("/operator/figures", operate.figures),
        ("/operator/codes", operate.list_codes),
        ("/operator/queries", operate.list_queries),
        ("/operator/proposals", operate.list_proposals),
    ):
        app.add_route(path, operate.endpoint(operator, handler), methods=_READ)
    for kind in STATES:
        app.add_route(f"/operator/{kind}", operate.endpoint(operator, operate.repair(kind)), methods=["POST"])
    app.add_route("/operator/token", operate.endpoint(operator, operate.give_token), methods=["POST"])
    app.add_route("/operator/replay", operate.endpoint(operator, operate.replay), methods=["POST"])
    app.add_route("/operator/import", operate.endpoint(operator, operate.take_rows), methods=["POST"])
    app.add_route("/operator/confirm", operate.endpoint(operator, operate.confirm), methods=["POST"])


def create_hl7_app(post_hl7: PostHl7, *, terms: Terms, refused: Refused) -> FastAPI:
    """Build the application of a listener for hospitals: `POST /hl7` and nothing that could be read.

    Args:
        post_hl7: the handler.
        terms: who is let in.
        refused: hears of those who are not.
    """
    app = FastAPI(title="HL7 v2", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_api_route("/hl7", post_hl7, methods=["POST"])
    app.add_api_route("/health/live", health.live, methods=["GET", "HEAD"])
    failures.install(app)
    app.add_middleware(Gate, terms=terms, refused=refused)
    return app


def _add_fhir(app: FastAPI) -> None:
    kind, one = "/fhir/{resource_type}", "/fhir/{resource_type}/{resource_id}"
    app.add_route("/fhir/metadata", open_to_all(capability.metadata), methods=_READ)
    app.add_route(kind, guarded(search.search_type), methods=_READ)
    app.add_route(f"{kind}/_search", guarded(search.search_posted, body=search.posted_form), methods=["POST"])
    app.add_route(one, guarded(read.read), methods=_READ)
    app.add_route(f"{one}/_history", guarded(read.history), methods=_READ)
    app.add_route(f"{one}/_history/{{version}}", guarded(read.vread), methods=_READ)
