"""A FHIR server as the report asks it: plain R4 searches, page by page, by any server that holds the trial."""

import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import httpx

from adapter.errors import AdapterError
from adapter.fhir import json
from adapter.trial.elements import Resource

PAGE = 1000
TRIES = 5
BUSY = frozenset({429, 502, 503, 504})
"""HTTP status codes that pass."""
OF_PATIENTS = frozenset({"EpisodeOfCare"})
"""Types that are searched by `patient`; all others that the report asks for have `subject` (R4)."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECONDS = 120.0


class NoAnswer(AdapterError):
    """The FHIR server did not answer what was asked."""

    code = "H2F-6001"
    mender = "administrator of the FHIR server, or whoever gave its address and token"


class FhirServer:
    """A client for one server; use it as a context manager."""

    def __init__(self, base: str, token: str = "") -> None:
        """Keep the base URL and the bearer token, if one is needed."""
        self._base = base.rstrip("/") + "/"
        headers = {"Accept": "application/fhir+json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._client = httpx.Client(headers=headers, timeout=SECONDS)

    def __enter__(self) -> "FhirServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def search(self, kind: str, parameters: Mapping[str, str] | None = None) -> Iterator[Resource]:
        """Every resource of a type that matches, page by page.

        The search is posted: ids of patients belong into no address, and no log (R4 section 3.1.1).

        Raises:
            NoAnswer: the server cannot be reached, refuses, or answers no searchset Bundle.
        """
        form = {**(parameters or {}), "_count": str(PAGE)}
        page = self._bundle("POST", f"{self._base}{kind}/_search", form)
        while True:
            entries: list[dict[str, Any]] = page.get("entry", [])
            for entry in entries:
                if entry.get("search", {}).get("mode", "match") != "outcome":
                    yield entry["resource"]
            following = self._next(page)
            if not following:
                return
            page = self._bundle("GET", following, None)

    def of_patients(self, kind: str, patients: Iterable[str], **parameters: str) -> Iterator[Resource]:
        """Every resource of a type that is about these Patients (`Patient/id`)."""
        who = "patient" if kind in OF_PATIENTS else "subject"
        refs = ",".join(sorted(patients))
        return self.search(kind, {who: refs, **parameters}) if refs else iter(())

    def _next(self, page: Mapping[str, Any]) -> str:
        links: list[dict[str, str]] = page.get("link", [])
        url = next((link["url"] for link in links if link["relation"] == "next"), "")
        if not url:
            return ""
        url = urljoin(self._base, url)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            # the token is for the server that was named, and for no other
            raise NoAnswer(f"{self._base} says that the next page is at {urlsplit(url).netloc}: another server")
        return url

    def _bundle(self, method: str, url: str, form: Mapping[str, str] | None) -> dict[str, Any]:
        bundle = _read(self._ask(method, url, form))
        if bundle.get("resourceType") != "Bundle":
            raise NoAnswer(f"{self._base} answers no FHIR Bundle: is this the base URL of a FHIR R4 server?")
        return bundle

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None) -> httpx.Response:
        answer = self._once(method, url, form)
        for _ in range(TRIES):
            if answer.status_code not in BUSY:
                break
            time.sleep(_pause(answer))
            answer = self._once(method, url, form)
        if answer.status_code != HTTPStatus.OK:
            raise NoAnswer(f"{self._base} answers {answer.status_code}{_said(answer)}")
        return answer

    def _once(self, method: str, url: str, form: Mapping[str, str] | None) -> httpx.Response:
        try:
            return self._client.request(method, url, data=form, headers=FORM if form else None)
        except httpx.HTTPError as error:
            raise NoAnswer(f"{self._base} does not answer ({type(error).__name__})") from error


def _read(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object; empty where it is none."""
    try:
        read: Any = json.computable(answer.content)
    except ValueError:
        read = None
    return cast("dict[str, Any]", read) if isinstance(read, dict) else {}


def _pause(answer: httpx.Response) -> float:
    said = answer.headers.get("retry-after", "")
    return float(said) if said.isdigit() else 1.0


def _said(answer: httpx.Response) -> str:
    issues: list[dict[str, Any]] = _read(answer).get("issue", [])
    said = "; ".join(str(issue["diagnostics"]) for issue in issues if "diagnostics" in issue)
    hint = ": give a token with --token" if answer.status_code == HTTPStatus.UNAUTHORIZED else ""
    return f" ({said}){hint}" if said else hint
