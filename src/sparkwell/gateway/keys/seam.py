"""What the gateway asks of those who keep keys and count."""

from collections.abc import Mapping
from typing import Literal, Protocol

from sparkwell.core.keys import Key

Standing = Literal["none", "some", "broken"]
"""Whether there has never been a key, there are or were some, or the store cannot be read."""


class KeyBook(Protocol):
    """The keys, as they are now."""

    @property
    def standing(self) -> Standing:
        """``none`` opens the door for loopback; ``broken`` closes it for everybody."""
        ...

    def of(self, secret: str) -> Key | None:
        """The key with that secret, compared in constant time; None where there is none.

        Raises KeyRefusedError for one that is revoked or has expired.
        """
        ...


class Turnstile(Protocol):
    """Lets requests of a key through as its limits allow, and counts what they used."""

    def enter(self, key: Key | None, model: str) -> "Passage":
        """Count a request in; raises ModelNotAllowedError or RateLimitedError."""
        ...


class Passage(Protocol):
    """One request that was let through."""

    @property
    def headers(self) -> Mapping[str, str]:
        """x-ratelimit-* for the answer; empty where there is no limit."""
        ...

    def leave(self, status: int, prompt_tokens: int | None, output_tokens: int | None) -> None:
        """Count it out; to be called once, whatever happened. ``status`` 0: there was no answer."""
        ...

    def lose(self) -> None:
        """Count it out instead: who answered it has gone, and only they knew what it used."""
        ...
