"""What can go wrong, as one family of exceptions.

    SparkwellError            anything that a user can act on
    ├── UsageError            the request itself is wrong: a value, a flag, a name
    │   └── UnknownModelError no recipe has that name
    ├── DocumentError         a YAML file does not say what it should (path, line, expectation)
    ├── NotReadyError         the model exists but nothing serves it now
    │   └── WaitExceededError it was waited for as long as may be
    ├── TooBusyError          too many wait already
    ├── ConflictError         something else is in the way: another model, a port, another daemon
    └── EnvironmentFault      the machine lacks something: an engine, disk space, a daemon

Every message says what happened and where; ``hint`` says what to do next. The CLI prints both
and exits with ``exit_code``; the gateway turns them into OpenAI's error envelope, and
``retry_after_s``, where somebody knows it, into the header that clients wait by.
"""


class SparkwellError(Exception):
    """Something a user can act on; never shown as a traceback."""

    exit_code = 2
    code = "sparkwell_error"
    http_status = 500

    def __init__(
        self, message: str, *, hint: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(SparkwellError):
    """The request itself is wrong: a value out of range, an unknown flag."""

    code = "invalid_request"
    http_status = 400


class UnknownModelError(UsageError):
    """No recipe has that name."""

    code = "model_not_found"
    http_status = 404


class DocumentError(SparkwellError):
    """A YAML file does not say what it should; the message names path, line and expectation."""

    code = "invalid_document"
    http_status = 422


class NotReadyError(SparkwellError):
    """The model exists, but nothing serves it at the moment."""

    code = "model_not_ready"
    http_status = 503


class WaitExceededError(NotReadyError):
    """The model was waited for as long as a request may wait."""

    code = "wait_exceeded"


class TooBusyError(SparkwellError):
    """As many requests wait as may wait, or the wait would be longer than any may be."""

    code = "queue_full"
    http_status = 429


class ConflictError(SparkwellError):
    """Something else is in the way: another model, a port, another daemon."""

    code = "conflict"
    http_status = 409


class EnvironmentFault(SparkwellError):  # noqa: N818 - EnvironmentError is Python's own
    """The machine lacks something: an engine environment, disk space, a running daemon."""

    code = "environment"
    http_status = 503
