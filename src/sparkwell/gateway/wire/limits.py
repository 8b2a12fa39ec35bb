"""What one client may take of the gateway: bytes, time, connections."""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the server side. Times in seconds, sizes in bytes.

    ``head_s``: from the first byte of a request's head to its last. ``body_s``: how long a body may
    stand still, and after which it has to have come at ``body_rate`` bytes a second on average.
    ``idle_s``: how long a connection is kept without a request. ``send_s``: how long a client may
    take nothing of what is there for it. ``linger_s``: how long the rest of a refused request is
    read and thrown away, so that its sender gets to read why.
    """

    head: int = 32 * KIB
    headers: int = 100
    target: int = 8 * KIB
    body: int = 32 * 10**6
    page_body: int = 1024 * KIB
    connections: int = 2000
    pipelined: int = 32
    head_s: float = 10.0
    body_s: float = 30.0
    body_rate: int = KIB
    idle_s: float = 75.0
    send_s: float = 120.0
    linger_s: float = 2.0

    @property
    def look_s(self) -> float:
        """How often connections are looked at: often enough for the shortest of the times."""
        shortest = min(self.head_s, self.body_s, self.idle_s, self.send_s, self.linger_s)
        return min(1.0, max(shortest / 4, 0.01))
