"""What browsers are told when a page of another host asks: nothing, unless its origin is named.

Cookies are never allowed (no Access-Control-Allow-Credentials), so a page gets what its own key
gets, or anybody. Pure.
"""

import re
from collections.abc import Collection

Headers = list[tuple[bytes, bytes]]

_METHODS = b"GET, POST"
_KEPT_S = b"600"
_READABLE = (
    b"x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
    b"x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, "
    b"x-ratelimit-reset-tokens, x-sparkwell-model, x-sparkwell-instance, x-sparkwell-queued-ms, "
    b"x-sparkwell-load-ms"
)
_LONGEST = 1024
# Names of headers, with commas between them: what is said back is what was asked for.
_NAMES = re.compile(r"[A-Za-z0-9_-]+(?:[ ]?,[ ]?[A-Za-z0-9_-]+)*", re.ASCII)


def answer_headers(origin: str | None, allowed: Collection[str]) -> Headers:
    """Headers for an answer to a page of that origin; none where it is not allowed.

    Where any origin is allowed, caches are told that answers differ by it.
    """
    if not allowed:
        return []
    varying = [(b"vary", b"Origin")]
    if origin is None or origin not in allowed:
        return varying
    return [
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-expose-headers", _READABLE),
        *varying,
    ]


def preflight_headers(
    origin: str | None, method: str | None, names: str | None, allowed: Collection[str]
) -> Headers | None:
    """Headers of the 204 that answers OPTIONS; None where there is nothing to be allowed.

    ``method`` and ``names`` are Access-Control-Request-Method and -Headers. Whoever gets None
    answers OPTIONS as any other method that a path does not take.
    """
    if origin is None or method not in ("GET", "POST") or origin not in allowed:
        return None
    headers = [
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _KEPT_S),
        (b"vary", b"Origin, Access-Control-Request-Headers"),
    ]
    if names and len(names) <= _LONGEST and _NAMES.fullmatch(names):
        headers.append((b"access-control-allow-headers", names.encode("ascii")))
    return headers
