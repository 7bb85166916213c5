"""OperationOutcome: what went wrong, in FHIR's words."""

from typing import Any


def outcome(code: str, text: str, *, severity: str = "error", expression: str = "") -> dict[str, Any]:
    """An OperationOutcome with one issue.

    Args:
        code: from http://hl7.org/fhir/issue-type.
        text: for people; never a value of a resource or a query.
        severity: `fatal`, `error`, `warning` or `information`.
        expression: the place, such as `http.code` for the query parameter `code`.
    """
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": text}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
