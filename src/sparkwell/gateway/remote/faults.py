"""Errors as messages, and made errors again: a client sees no difference."""

from collections.abc import Mapping

from sparkwell.core.errors import SparkwellError, UnknownModelError
from sparkwell.gateway.remote.messages import Fault


class ToldError(SparkwellError):
    """What the daemon said; ``headers`` go with the answer."""

    headers: Mapping[str, str]


def fault_of(error: SparkwellError) -> Fault:
    """An error as a message."""
    return Fault(
        error.code,
        error.http_status,
        error.message,
        error.hint,
        error.retry_after_s,
        dict(getattr(error, "headers", {})),
    )


def error_of(fault: Fault) -> SparkwellError:
    """The error that a message tells of; a new one each time, for it may be raised."""
    if fault.code == UnknownModelError.code:  # the envelope names the parameter
        return UnknownModelError(fault.message, hint=fault.hint, retry_after_s=fault.retry_after_s)
    error = ToldError(fault.message, hint=fault.hint, retry_after_s=fault.retry_after_s)
    error.code, error.http_status = fault.code, fault.http_status
    error.headers = fault.headers
    return error
