"""Who may see the dashboard: the admin key, one-time links, and sessions in a cookie.

Tokens are 256 random bits. Only their hashes are kept, so that a comparison tells nothing by the
time that it takes.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from aiohttp import web

COOKIE = "sparkwell_session"
"""How the name of a session's cookie begins; see ``cookie_name``."""
LINK_LIFE_S = 600.0
IDLE_LIFE_S = 12 * 3600.0
LIFE_S = 7 * 86_400.0
SESSIONS = 200
LINKS = 20


class AccessKeys(Protocol):
    """The admin key, wherever it is kept."""

    @property
    def exists(self) -> bool:
        """Whether there is an admin key at all; without one only links sign in."""
        ...

    def check(self, key: str) -> bool:
        """Whether this is an admin key, compared in constant time."""
        ...


@dataclass(slots=True, eq=False)
class Session:
    """A browser that has signed in. ``csrf`` has to come with everything that it changes."""

    csrf: str
    began: float
    seen: float


SESSION = web.RequestKey("session", Session)
"""Where a request carries its session."""


class OneTimeLinks:
    """Makes the tokens of links that sign in once; the daemon makes one for `sparkwell ui`."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, life_s: float = LINK_LIFE_S
    ) -> None:
        self._clock = clock
        self._life_s = life_s
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def make(self) -> str:
        """A new token, for ``/ui/login?token=…``; the oldest go when there are many."""
        token = secrets.token_urlsafe(32)
        self._ends[_hash(token)] = self._clock() + self._life_s
        while len(self._ends) > LINKS:
            self._ends.popitem(last=False)
        return token

    def take(self, token: str) -> bool:
        """Whether the token is good; from now on it is not."""
        ends = self._ends.pop(_hash(token), None)
        return ends is not None and self._clock() < ends


class Sessions:
    """The browsers that have signed in; they are in memory and end with the daemon."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self) -> tuple[str, Session]:
        """A new session, and the value of its cookie."""
        value, now = secrets.token_urlsafe(32), self._clock()
        session = Session(secrets.token_urlsafe(32), now, now)
        self._sessions[_hash(value)] = session
        while len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return value, session

    def of(self, value: str | None) -> Session | None:
        """The session of a cookie; None where there is none, or it is too old."""
        key, now = _hash(value or ""), self._clock()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now - session.seen > IDLE_LIFE_S or now - session.began > LIFE_S:
            del self._sessions[key]
            return None
        session.seen = now
        self._sessions.move_to_end(key)
        return session

    def still(self, session: Session) -> bool:
        """Whether a session with an open page goes on; an open page counts as being used."""
        now = self._clock()
        if session not in self._sessions.values() or now - session.began > LIFE_S:
            return False
        session.seen = now
        return True

    def end(self, value: str | None) -> None:
        """Sign out; nothing when there is no such session."""
        self._sessions.pop(_hash(value or ""), None)


@dataclass(frozen=True, slots=True)
class Access:
    """All that decides who comes in: made once by the daemon."""

    keys: AccessKeys
    links: OneTimeLinks
    sessions: Sessions


def csrf_of(request: web.Request) -> str:
    """The token that has to come with what this session changes; "" where there is no session."""
    session: Session | None = request.get(SESSION)
    return session.csrf if session else ""


def cookie_name(host: str | None) -> str:
    """The name of the session's cookie at the address of a Host header.

    Browsers send cookies to every port of a host: with one name for all, two daemons on one host,
    or behind two tunnels, would sign each other out. So the port is in the name.
    """
    port = (host or "").rpartition(":")[2]
    return f"{COOKIE}_{port}" if port.isascii() and port.isdecimal() else COOKIE


def cookie_of(request: web.Request) -> str | None:
    """The value of the session's cookie that a request came with."""
    return request.cookies.get(cookie_name(request.headers.get("Host")))


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return secrets.compare_digest(*(each.encode(errors="surrogatepass") for each in (one, other)))


def _hash(token: str) -> bytes:
    return sha256(token.encode(errors="surrogateescape")).digest()
