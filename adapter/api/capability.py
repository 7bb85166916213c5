"""CapabilityStatement: what is really served, computed from what is loaded."""

from pathlib import Path
from typing import Any

from fastapi import Request, Response

from adapter.api.exchange import digest_response, serving
from adapter.data import PROGRAM, program_version
from adapter.fhir import json
from adapter.fhir.profiles import capability
from adapter.fhir.search_parameter import Parameter
from adapter.fhir.search_params import SearchIndex

_INTERACTIONS = ("read", "vread", "history-instance", "search-type")


def statement(profiles: Path, index: SearchIndex) -> bytes:
    """The CapabilityStatement as JSON.

    Args:
        profiles: the folder that says what is wanted.
        index: what is loaded.

    Raises:
        MappingError: the folder cannot be read.
    """
    wanted = capability(profiles)
    server: dict[str, Any] = {
        "mode": "server",
        "documentation": "Resources are made from HL7 v2 messages; this interface reads them.",
        "security": {"description": "Authorization: Bearer, with a token of SMART Backend Services"},
        "resource": [_resource(name, index) for name in index.parameters],
    }
    own = {
        "kind": "instance",
        "software": {"name": PROGRAM, "version": program_version()},
        "implementation": {"description": "HL7 v2 messages of the trial's hospitals, as FHIR R4"},
        "format": ["application/fhir+json", "json"],
        "rest": [server],
    }
    return json.dumps({name: value for name, value in wanted.items() if name != "description"} | own)


def metadata(request: Request) -> Response:
    """The statement; it changes only when the program starts anew."""
    return digest_response(request, serving(request).capability)


def _resource(name: str, index: SearchIndex) -> dict[str, Any]:
    parameters = index.parameters[name].values()
    references = [f"{name}:{one.code}" for one in parameters if one.type == "reference"]
    pointing = [
        (of, one) for of, known in index.parameters.items() for one in known.values() if one.type == "reference"
    ]
    return {
        "type": name,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalRead": "not-match",
        "searchInclude": ["*", *references],
        "searchRevInclude": [f"{of}:{one.code}" for of, one in pointing if name in one.targets],
        "searchParam": [_parameter(parameter) for parameter in parameters],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {"name": parameter.code, "definition": parameter.url, "type": parameter.type}
