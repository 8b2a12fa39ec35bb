"""Facts of a running daemon."""

from dataclasses import dataclass

_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - said, not bound


@dataclass(frozen=True, slots=True)
class About:
    """Facts of this daemon: where its gateway listens, and whether `up` started it.

    ``open_to_all`` is the address where everybody is served without a key, None where keys are
    asked for.
    """

    host: str
    port: int
    detached: bool
    started_at: float
    tls: bool = False
    open_to_all: str | None = None

    @property
    def url(self) -> str:
        """The gateway's base URL as a client on this machine would write it."""
        shown = _ANY.get(self.host, self.host)
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}"
