"""What a daemon says in the log: where clients find it and who else may; for whom it waits."""

import logging

from sparkwell.app.listener.exposure import is_beyond_loopback, reminder
from sparkwell.app.listener.own_address import seen_by_others
from sparkwell.app.settings.config import GatewaySettings
from sparkwell.app.status.about import About

logger = logging.getLogger(__name__)
_ALL = {"": "all addresses", "0.0.0.0": "all IPv4 addresses", "::": "all IPv6 addresses"}  # noqa: S104


def announce(about: About, gateway: GatewaySettings) -> None:
    """Log that the gateway is ready, and what its owner should know of who reaches it."""
    logger.info("%s", ready(about, seen_by_others(about.host)), extra={"action": "daemon.ready"})
    if said := reminder(gateway):
        logger.warning("%s", said, extra={"action": "gateway.open"})
    if said := in_clear_text(about, beyond=is_beyond_loopback(gateway.host)):
        logger.warning("%s", said, extra={"action": "gateway.clear_text"})


def ready(about: About, other: str) -> str:
    """Where the gateway is asked: on this machine and, on all its addresses, by others."""
    said = f"Ready on {about.url}"
    if about.host not in _ALL:
        return said
    where = f"{_ALL[about.host]} of this machine"
    return f"{said}. It listens on {where}: others reach it at {about.url_at(other)}"


def in_clear_text(about: About, *, beyond: bool) -> str | None:
    """That others on the network can read along; None where there is TLS, or no network."""
    if about.certificate is not None or not beyond:
        return None
    return (
        "There is no TLS: keys and prompts cross the network in clear text. docs/network.md has "
        "two ways to end that: certificate files (gateway.tls), or a reverse proxy in front."
    )


def ending(drain_s: float | None, answering: int) -> str:
    """What an ending daemon says: ``drain_s`` is None where the engines end with it."""
    if drain_s is None:
        return "Ending, stopping the engines"
    said = "Ending, leaving the engines running"
    if not answering:
        return said
    requests = "1 request" if answering == 1 else f"{answering:,} requests"
    return f"{said}; waiting for {requests}, up to {drain_s:g} s"
