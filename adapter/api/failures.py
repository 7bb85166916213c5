"""Every failure as an OperationOutcome, the framework's own included."""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from adapter import log
from adapter.api.exchange import fhir_response
from adapter.errors import StorageUnavailable
from adapter.fhir import json
from adapter.fhir.outcome import outcome
from adapter.request_errors import AuditUnavailable, LoginRequired, RequestError, TooSlow

_ISSUES = {401: "login", 404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}
_READ_ONLY = "resources are written by HL7 v2 messages (MLLP, POST /hl7); this interface only reads them"


def install(app: FastAPI) -> None:
    """Let every failure of the application be answered here."""
    for kind, handler in (
        (RequestError, _refused),
        (HTTPException, _by_the_framework),
        (RequestValidationError, _not_understood),
        (StorageUnavailable, _unavailable),
        (Exception, _fault),
    ):
        app.add_exception_handler(kind, handler)


def failure(status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """An OperationOutcome with its HTTP status."""
    return fhir_response(json.dumps(outcome(code, text)), status=status, headers=dict(headers or {}))


def refusal(error: RequestError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that is refused."""
    return failure(error.status, error.issue, f"{error.text} ({error.code})", headers or _headers(error))


def _headers(error: RequestError) -> dict[str, str]:
    match error:
        case LoginRequired():
            return {"WWW-Authenticate": 'Bearer realm="adapter"'}
        case AuditUnavailable():
            return {"Retry-After": "5"}
        case TooSlow():
            return {"Connection": "close"}
        case _:
            return {}


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestError):
        raise error
    return refusal(error)


async def _by_the_framework(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    text = {404: "there is nothing at this address", 405: _READ_ONLY}.get(error.status_code, error.detail)
    return failure(error.status_code, _ISSUES.get(error.status_code, "invalid"), text, error.headers)


async def _not_understood(_: Request, _error: Exception) -> Response:
    return failure(422, "invalid", "the request is not understood")


async def _unavailable(_: Request, error: Exception) -> Response:
    log.event("request_failed", level=logging.ERROR, failure=error)
    return failure(503, "transient", "the storage does not answer; ask again", {"Retry-After": "5"})


async def _fault(_: Request, error: Exception) -> Response:
    log.event("request_failed", level=logging.ERROR, failure=error)
    return failure(500, "exception", "a fault of the adapter; the log says where")
