"""Facts of a running daemon."""

from dataclasses import dataclass

_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - said, not bound


@dataclass(frozen=True, slots=True)
class About:
    """Facts of this daemon: where its gateway listens, and whether `up` started it.

    ``open_to_all`` is the address where everybody is served without a key, None where keys are
    asked for. ``certificate`` is the file that it serves https with; None: http.
    """

    host: str
    port: int
    detached: bool
    started_at: float
    certificate: str | None = None
    open_to_all: str | None = None

    @property
    def url(self) -> str:
        """The gateway's base URL as a client on this machine would write it."""
        return self.url_at(_ANY.get(self.host, self.host))

    def url_at(self, host: str) -> str:
        """The same as a client would write it that asks by another address or name."""
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
