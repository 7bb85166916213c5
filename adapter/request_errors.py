"""The branch of the error tree for requests over HTTP: each is answered with an OperationOutcome and its status."""

from typing import ClassVar

from adapter.errors import AdapterError


class RequestError(AdapterError):
    """A FHIR request cannot be answered as asked."""

    code = "H2F-4000"
    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"
    mender = "caller of the API"


class BadParameter(RequestError):
    """A search parameter or its value is not understood."""

    code = "H2F-4001"


class UnknownResourceType(RequestError):
    """This resource type is not served."""

    code, status, issue = "H2F-4002", 404, "not-supported"


class NotFound(RequestError):
    """There is no such resource."""

    code, status, issue = "H2F-4003", 404, "not-found"


class Gone(RequestError):
    """The resource was deleted."""

    code, status, issue = "H2F-4004", 410, "deleted"


class MethodNotAllowed(RequestError):
    """Resources are written by messages only."""

    code, status, issue = "H2F-4005", 405, "not-supported"


class NotAcceptable(RequestError):
    """Only application/fhir+json is served."""

    code, status, issue = "H2F-4006", 406, "not-supported"


class UnsupportedMedia(RequestError):
    """HL7 over HTTP needs application/hl7-v2 (A36)."""

    code, status, issue = "H2F-4007", 415, "not-supported"


class LoginRequired(RequestError):
    """No token, or not the right one."""

    code, status, issue = "H2F-4008", 401, "login"


class TooLong(RequestError):
    """The body of a request is longer than a message may be, unpacked or not (A39)."""

    code, status, issue = "H2F-4020", 413, "too-long"


class TooSlow(RequestError):
    """The body of a request does not come to its end (A38)."""

    code, status, issue = "H2F-4021", 408, "timeout"


class BadBody(RequestError):
    """The body of a request is not what its header says: broken or truncated gzip."""

    code, issue = "H2F-4022", "structure"


class AccessDenied(RequestError):
    """From a network or with a certificate that this listener does not let in."""

    code, status, issue = "H2F-4023", 403, "forbidden"


class TooManyRequests(RequestError):
    """More requests a second than this client may send (A42)."""

    code, status, issue = "H2F-4024", 429, "throttled"


class AuditUnavailable(RequestError):
    """The access audit cannot be written, so nothing may be read (F32)."""

    code, status, issue = "H2F-4025", 503, "transient"
    mender = "administrator of the adapter"


class NotGranted(RequestError):
    """The token is good, and its role or its scopes do not allow this."""

    code, status, issue = "H2F-4026", 403, "forbidden"


class TooCostly(RequestError):
    """A search asks for more at once than one may (G36)."""

    code, issue = "H2F-4040", "too-costly"


class TooLongAddress(RequestError):
    """The query in an address is too long; a search can be posted (G36)."""

    code, status, issue = "H2F-4041", 414, "too-costly"


class UnreadableTable(RequestError):
    """A file to be imported is no table of its kind: other characters, columns, or no CSV at all."""

    code, issue = "H2F-4030", "structure"
    mender = "whoever made the file"
