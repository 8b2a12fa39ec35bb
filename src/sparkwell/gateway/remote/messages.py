"""What daemon and workers say to each other: msgpack, several messages in one frame.

Numbers of requests and passages are the worker's own, and never used twice on a connection.
"""

from collections.abc import Sequence

import msgspec

from sparkwell.core.keys import Key
from sparkwell.gateway.access import Rules
from sparkwell.gateway.access_log import Style
from sparkwell.gateway.backend import Model
from sparkwell.gateway.comments import Pace
from sparkwell.gateway.keys.seam import Standing
from sparkwell.gateway.wire.limits import Limits


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message: an array that begins with its kind."""


class Fault(Message, frozen=True, array_like=True):
    """A SparkwellError; ``headers`` are those of the answer."""

    code: str
    http_status: int
    message: str
    hint: str | None
    retry_after_s: float | None
    headers: dict[str, str]


class Place(Message, frozen=True, array_like=True):
    """Where a loaded model's engine answers: ``uds`` or ``port``."""

    model: str
    uds: str | None
    port: int | None


# ── from a worker ───────────────────────────────────────────────────────────────────────────


class Hello(Message, frozen=True, array_like=True, tag=0):
    """The first one: who has come."""

    pid: int


class Listening(Message, frozen=True, array_like=True, tag=1):
    """It takes clients from now on."""

    port: int


class Failed(Message, frozen=True, array_like=True, tag=2):
    """It cannot take clients, and ends."""

    fault: Fault


class Ask(Message, frozen=True, array_like=True, tag=3):
    """A request wants a lease; answered by Granted or Refused, and meanwhile by Report."""

    number: int
    model: str
    priority: int
    passage: int


class Drop(Message, frozen=True, array_like=True, tag=4):
    """A request does not need its lease any more, or its place in the queue."""

    number: int


class Enter(Message, frozen=True, array_like=True, tag=5):
    """A request goes through the turnstile. Where it may not, the Ask that names it is refused."""

    passage: int
    key: str | None
    model: str


class Leave(Message, frozen=True, array_like=True, tag=6):
    """It has ended."""

    passage: int
    status: int
    prompt_tokens: int | None
    output_tokens: int | None


class Heard(Message, frozen=True, array_like=True, tag=7):
    """A request for a model has come, with the ends of its prompt."""

    model: str
    ends: tuple[bytes, bytes] | None


class Look(Message, frozen=True, array_like=True, tag=8):
    """How far are these requests? Answered by a Report each, where they still wait."""

    numbers: Sequence[int]


class WrongKey(Message, frozen=True, array_like=True, tag=9):
    """A request from that address had a key that is not valid; None is a Unix socket's."""

    address: str | None


# ── from the daemon ─────────────────────────────────────────────────────────────────────────


class Opening(Message, frozen=True, array_like=True, tag=0):
    """How a worker serves; said once. ``tls`` are the files of certificate and key."""

    host: str
    port: int
    tls: tuple[str, str] | None
    pages: str
    rules: Rules
    limits: Limits
    pace: Pace
    log: Style
    drain_s: float


class Keys(Message, frozen=True, array_like=True, tag=1):
    """The keys as they are from now on, revoked and expired ones too."""

    standing: Standing
    keys: tuple[Key, ...]


class Models(Message, frozen=True, array_like=True, tag=2):
    """The models as they are from now on.

    ``default`` is the one that is meant by no name in particular; where there is none
    ``no_default`` says why. ``listed`` are the names of those that /v1/models lists.
    """

    models: tuple[Model, ...]
    loaded: tuple[Place, ...]
    default: str | None
    no_default: Fault | None
    listed: tuple[str, ...]


class Granted(Message, frozen=True, array_like=True, tag=3):
    """A lease; ``headers`` are those of the request's key, as they are now."""

    number: int
    instance: str
    model: str
    uds: str | None
    port: int | None
    queued_s: float
    load_s: float
    headers: dict[str, str]


class Refused(Message, frozen=True, array_like=True, tag=4):
    """There will be no lease; without a fault the daemon made a mistake, and has logged it.

    ``headers`` are those of the request's key, where it was let through.
    """

    number: int
    fault: Fault | None
    headers: dict[str, str]


class Report(Message, frozen=True, array_like=True, tag=5):
    """How far a request is, as in gateway.backend.Waiting."""

    number: int
    model: str
    phase: str
    percent: float | None
    left_s: float | None
    ahead: int


class Drain(Message, frozen=True, array_like=True, tag=6):
    """Take no more; what is being answered has so many seconds to end."""

    drain_s: float


FromWorker = Hello | Listening | Failed | Ask | Drop | Enter | Leave | Heard | Look | WrongKey
FromDaemon = Opening | Keys | Models | Granted | Refused | Report | Drain
