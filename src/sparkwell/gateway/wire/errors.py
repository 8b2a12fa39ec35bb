"""Requests that the HTTP layer refuses, and answers that are none."""

from sparkwell.core.errors import NotReadyError, SparkwellError, UsageError


class BadRequestError(UsageError):
    """The bytes are no HTTP/1.1 request, or one that could be understood in two ways."""

    code = "bad_request"


class HeadTooLargeError(UsageError):
    """The headers are more, or longer, than the gateway takes."""

    code = "headers_too_large"
    http_status = 431


class TargetTooLongError(UsageError):
    """The path with its query is longer than the gateway takes."""

    code = "uri_too_long"
    http_status = 414


class TooLargeError(UsageError):
    """The body is larger than the gateway takes."""

    code = "request_too_large"
    http_status = 413


class TooSlowError(UsageError):
    """The request did not come in time."""

    code = "request_timeout"
    http_status = 408


class EndingError(NotReadyError):
    """The gateway is ending, or has as many connections as it may."""

    code = "unavailable"


class UnreachableError(NotReadyError):
    """Nothing of an answer has come. ``sent`` tells whether the engine may have the request."""

    code = "engine_unreachable"
    sent = False


class UnansweredError(UnreachableError):
    """The connection ended after the request was sent, or while it was."""

    sent = True


class NotHttpError(SparkwellError):
    """What came back is no HTTP."""

    code = "engine_not_http"
    http_status = 502


class BrokenOffError(SparkwellError):
    """The engine ended in the middle of an answer."""

    code = "engine_ended"
    http_status = 502
