"""Read, read of a version, and history of one resource (R4 §3.1.0.2, §3.1.0.3, §3.1.0.8)."""

from fastapi import Request, Response

from adapter.api.bundle import bundle, entry
from adapter.api.exchange import asked, base_of, digest_response, fhir_response, shown, stored_response, whole_number
from adapter.request_errors import Gone, NotFound
from adapter.store import resources
from adapter.store.resources import Stored


def read(request: Request, resource_type: str, resource_id: str) -> Response:
    """The current version, or what is made when it is read."""
    it = asked(request, "r", resource_type)
    with it.database.read() as connection:
        stored = resources.read(connection, it.reach, resource_type, resource_id)
        made = it.maker.read(connection, it.reach, resource_id) if it.maker and stored is None else None
    return digest_response(request, made) if made else stored_response(request, _present(stored))


def vread(request: Request, resource_type: str, resource_id: str, version: str) -> Response:
    """One version, the current or an older."""
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise NotFound("there is no such version")
    it = asked(request, "r", resource_type)
    with it.database.read() as connection:
        stored = resources.vread(connection, it.reach, resource_type, resource_id, int(version))
    return stored_response(request, _present(stored))


def history(request: Request, resource_type: str, resource_id: str) -> Response:
    """The versions, the newest first; `_count` of them on a page."""
    it, query = asked(request, "r", resource_type), request.query_params
    count = min(whole_number("_count", query.get("_count", "50")), 1000)
    before = whole_number("_before", query["_before"]) if "_before" in query else None
    with it.database.read() as connection:
        found = resources.history(connection, it.reach, resource_type, resource_id, before=before, limit=count + 1)
    if not found:
        raise NotFound("there is no such resource")
    page, base = found[:count], base_of(request)
    shown(request, len(page))
    address = f"{resource_type}/{resource_id}"
    links = [("self", f"{base}/{address}/_history")]
    total = len(page) if before is None else None
    if len(found) > count and page:
        links.append(("next", f"{links[0][1]}?_count={count}&_before={page[-1].version}"))
        total = None
    return fhir_response(bundle("history", [_version(one, address, base) for one in page], links=links, total=total))


def _present(stored: Stored | None) -> Stored:
    if stored is None:
        raise NotFound("there is no such resource")
    if stored.deleted:
        raise Gone("the resource was deleted")
    return stored


def _version(stored: Stored, address: str, base: str) -> bytes:
    method, status = ("POST", "201") if stored.version == 1 else ("PUT", "200")
    if stored.deleted:
        method, status = "DELETE", "204"
    return entry(
        None if stored.deleted else stored.body,
        full_url=f"{base}/{address}",
        request={"method": method, "url": stored.resource_type if method == "POST" else address},
        response={
            "status": status,
            "etag": f'W/"{stored.version}"',
            "lastModified": stored.last_updated.isoformat(timespec="milliseconds"),
        },
    )
