"""Who asks, by what the connection and the head of a request say."""

from dataclasses import dataclass, field
from enum import Enum


class Room(Enum):
    """What a path belongs to: each has its own rule for who may come in."""

    API = "api"
    """/v1 and what is relayed beside it."""
    PAGES = "pages"
    """/docs, /openapi.json, /metrics, and / itself."""
    HEALTH = "health"
    """/health, which load balancers ask without a key."""
    UI = "ui"
    """/ui, which has sessions of its own."""
    ADMIN = "admin"
    """/admin, behind the admin key."""


@dataclass(slots=True)  # frozen would cost three times as much to make, once a request
class Caller:
    """One request, as far as it matters for whether it may come in.

    ``peer`` is the address of the other end; None where there is none (a Unix socket). ``host``,
    ``origin``, ``site`` and ``mode`` are the headers Host, Origin, Sec-Fetch-Site and
    Sec-Fetch-Mode. ``forwarded``: whether any header says that a proxy stands between. ``secret``
    is what came as a bearer token or as x-api-key. ``media_type`` is the body's, in lower case and
    without parameters. ``passed`` is the door's: it has let this caller in as a direct one, without
    a secret, to where keys are asked for once there are any.
    """

    method: str
    path: str
    peer: str | None
    host: str | None
    origin: str | None = None
    site: str | None = None
    mode: str | None = None
    forwarded: bool = False
    secret: str | None = None
    media_type: str | None = None
    passed: bool = field(default=False, init=False, compare=False)  # not copied with the rest
