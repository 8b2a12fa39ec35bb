"""Who may come in, decided by what the connection and the head of a request say.

Nothing is done here; of a caller it is remembered only that it was let in.

With keys one is needed, on loopback too: a reverse proxy on this machine looks like a program on
it. Without keys only a program on this machine that asks directly is served. A request that claims
less than that is no reason to believe it, so every sign of another origin closes the door: the
address of the other end, a Host that is not loopback's, a header that proxies add, a web page's
origin, a body that a web page's form could have sent.

The rules by room, the first that fits:

| room | who comes in |
|---|---|
| HEALTH | everybody; ``may_see`` says who gets more than whether it is well |
| UI, ADMIN | who names this machine as Host and, where it changes something, is no foreign page |
| API | a right key; everybody with ``auth: none``; without any keys a direct one of this machine |
| PAGES | a right key; everybody with ``auth: none``; always a direct one of this machine |
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from sparkwell.core.errors import SparkwellError
from sparkwell.core.hosts import is_from_here, is_loopback, is_loopback_host, is_ours
from sparkwell.core.keys import Key
from sparkwell.gateway import access_errors as errors
from sparkwell.gateway.caller import Caller, Room
from sparkwell.gateway.keys.seam import KeyBook

PROXY_HEADERS = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-original-url",
        b"x-envoy-external-address",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-ray",
        b"cdn-loop",
        b"fastly-client-ip",
        b"tailscale-user-login",
    }
)
"""Headers, beside X-Forwarded-*, that only somebody in the middle adds."""
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say. ``names`` are this machine's, in lower case, without a port.

    ``open_to_all`` is ``gateway.auth: none``. ``origins`` are those of ``gateway.cors_origins``:
    pages that count as ours.
    """

    names: frozenset[str] = frozenset()
    open_to_all: bool = False
    origins: frozenset[str] = frozenset()


class Door:
    """Lets callers in, or says why not. Costs 1 to 2 µs a request: see docs/network.md.

    What a Host or an address means is remembered, for clients repeat theirs.
    """

    def __init__(self, book: KeyBook, rules: Rules) -> None:
        self._book = book
        self._rules = rules
        names = rules.names
        self._is_loopback = lru_cache(_REMEMBERED)(is_loopback)
        self._is_loopback_host = lru_cache(_REMEMBERED)(is_loopback_host)
        self._is_ours = lru_cache(_REMEMBERED)(lambda host: is_ours(host, names))

    @property
    def origins(self) -> frozenset[str]:
        """Those of the pages that count as ours."""
        return self._rules.origins

    def check(self, caller: Caller, room: Room) -> Key | None:
        """The caller's key; None for one who needs none. Raises SparkwellError for a stranger.

        The errors are those of access_errors, and KeyRefusedError from the book.
        """
        if room is Room.API:
            return self._api(caller)
        if room is Room.PAGES:
            return self._pages(caller)
        if room is not Room.HEALTH:
            self._own_sign_in(caller)
        return None

    def may_see(self, caller: Caller) -> bool:
        """Whether /health may tell this caller which models there are, and how they are."""
        try:
            self._pages(caller)
        except SparkwellError:
            return False
        return True

    def _api(self, caller: Caller) -> Key | None:
        if self._rules.open_to_all:
            return self._everybody(caller)
        standing = self._book.standing
        if caller.passed and standing == "none":
            return None  # nothing that was looked at can have changed
        if standing == "some":
            return self._with_key(caller)
        if standing == "broken":
            raise errors.keys_unreadable()
        if caller.secret and (key := self._book.of(caller.secret)) is not None:
            return key  # this process's own: nobody else has one
        self._must_be_direct(caller)
        if caller.method == "POST":
            _must_be_json(caller)
        caller.passed = not caller.secret
        return None

    def _pages(self, caller: Caller) -> Key | None:
        """Pages change nothing: a person at this machine may look at them whatever the keys."""
        if self._rules.open_to_all:
            return self._everybody(caller)
        try:
            self._must_be_direct(caller)
        except SparkwellError as why:
            return self._from_elsewhere(caller, why)
        return None

    def _from_elsewhere(self, caller: Caller, why: SparkwellError) -> Key:
        """Not a direct one: a key does; without one ``why`` is the answer, if a key is not."""
        standing, keyless = self._book.standing, isinstance(why, errors.InvalidKeyError)
        if standing == "some" and (keyless or caller.secret):
            return self._with_key(caller)
        if standing == "broken" and keyless:
            raise errors.keys_unreadable() from None
        raise why

    def _with_key(self, caller: Caller) -> Key:
        """A key says enough: no page and no proxy has one unless somebody gave it one."""
        if not caller.secret:
            raise errors.key_missing()
        key = self._book.of(caller.secret)
        if key is None:
            raise errors.key_unknown()
        return key

    def _everybody(self, caller: Caller) -> Key | None:
        """With ``auth: none``: who has a key is counted by it, a wrong one is no hindrance."""
        if not self._is_ours(caller.host):
            raise errors.unknown_host(caller.host)
        self._must_be_no_foreign_page(caller)
        if caller.method == "POST":
            _must_be_json(caller)
        if caller.secret and self._book.standing == "some":
            return self._book.of(caller.secret)
        return None

    def _must_be_direct(self, caller: Caller) -> None:
        """A program on this machine, or a page of ours in a browser on it, and nobody between."""
        if not self._is_loopback(caller.peer):
            raise errors.not_from_here()
        if caller.forwarded:
            raise errors.through_a_proxy()
        if not self._is_loopback_host(caller.host):
            raise errors.no_loopback_host(caller.host)
        self._must_be_no_foreign_page(caller)

    def _own_sign_in(self, caller: Caller) -> None:
        if not self._is_ours(caller.host):
            raise errors.unknown_host(caller.host)
        if caller.method in ("GET", "HEAD"):
            return
        if not is_from_here(caller.origin, caller.site, caller.host):  # cors_origins are for /v1
            raise errors.foreign_form(caller.origin)

    def _must_be_no_foreign_page(self, caller: Caller) -> None:
        origin, site = caller.origin, caller.site
        if origin is None and site is None:
            return  # a program, or a page that a person typed into an old browser
        if origin in self._rules.origins or is_from_here(origin, site, caller.host):
            return
        if caller.method == "GET" and caller.mode == "navigate":
            return  # a link that somebody clicked: what comes is shown, the other page sees nothing
        raise errors.foreign_page(origin)


def _must_be_json(caller: Caller) -> None:
    if caller.media_type != "application/json":
        raise errors.not_json(caller.media_type)


def tells_of_a_proxy(names: Collection[bytes]) -> bool:
    """Whether a header of these names, in lower case, says that somebody stands between."""
    return not PROXY_HEADERS.isdisjoint(names) or b"x-forwarded" in b"\n".join(names)
