"""Why a request with a key is not served."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sparkwell.core.errors import SparkwellError

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class KeyRefusedError(SparkwellError):
    """The secret is right, and its key is revoked, expired or has got another secret."""

    code = "invalid_api_key"
    http_status = 401


class ModelNotAllowedError(SparkwellError):
    """The key is not for that model."""

    code = "model_not_allowed"
    http_status = 403


def model_not_allowed(whose: str, model: str, allowed: Sequence[str]) -> ModelNotAllowedError:
    """The error for a model that a key is not for; ``whose`` names the key."""
    return ModelNotAllowedError(
        f"{whose} is not for {model!r}.", hint=f"It is for: {', '.join(allowed)}."
    )


class RateLimitedError(SparkwellError):
    """A limit of the key is reached.

    ``limit`` is "requests", "tokens" or "concurrency"; ``headers`` are x-ratelimit-* and, where
    the moment is known, retry-after-ms. ``retry_after_s`` becomes Retry-After.
    """

    code = "rate_limit_exceeded"
    http_status = 429

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        retry_after_s: float,
        headers: Mapping[str, str] = _NO_HEADERS,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s)
        self.limit = limit
        self.headers = headers
