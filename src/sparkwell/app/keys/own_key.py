"""The daemon's own key: what it lets its pages and this user's programs ask models with.

Once somebody has made a key every request needs one, also those of the dashboard's playground and
of `sparkwell demo`. This one is made at each start, is never written down, and is in no list; what
it asks for is counted under its name.
"""

import time
from collections.abc import Callable

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.making import digest_of, hint_of, make_secret

NAME = "(this machine)"
"""Its id as well, so that usage needs no list of names; nobody can give a key such a name."""


class OwnKey:
    """A key for all models and without limits, in a gateway's book until this process ends.

    Whoever gets it may use every model: it is for pages of a session, and for the control socket.
    """

    __slots__ = ("_secret",)

    def __init__(self, book: Book, now: Callable[[], float] = time.time) -> None:
        self._secret = make_secret()
        digest, hint = digest_of(self._secret), hint_of(self._secret)
        book.lend(Key(id=NAME, name=NAME, digest=digest, hint=hint, created_at=now()))

    def secret(self) -> str:
        """What is sent as a bearer token."""
        return self._secret
