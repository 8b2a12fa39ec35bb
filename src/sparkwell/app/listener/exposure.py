"""Whether other machines reach the port, what has to be there then, and what it is called.

A port of loopback is open to programs of this machine alone. Any other one is open to whoever is in
the network, so it is not opened before somebody has made a key, or has set that everybody shall be
served without one.
"""

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from sparkwell.app.settings.config import GatewaySettings
from sparkwell.core.errors import EnvironmentFault, SparkwellError, UsageError
from sparkwell.core.hosts import is_loopback
from sparkwell.gateway.access import Rules
from sparkwell.gateway.keys.seam import KeyBook, Standing

ETC = Path("/etc")
_WAYS = (
    "Make a key with `sparkwell keys add NAME` and start again; or serve whoever reaches the port, "
    "without any key, by the setting `gateway.auth: none` in sparkwell.yaml."
)


def refuse_to_expose(
    gateway: GatewaySettings,
    standing: Standing,
    addresses: Callable[[str], Iterable[str]] | None = None,
) -> None:
    """Raise UsageError or EnvironmentFault where others would find a door that has no key.

    To be asked before anything listens. ``addresses`` says what a host name resolves to.
    """
    if gateway.auth == "none" or standing == "some":
        return
    if not is_beyond_loopback(gateway.host, addresses):
        return
    where = f"The gateway would listen on {_address(gateway)}, where other machines reach it"
    raise (
        _broken(where)
        if standing == "broken"
        else UsageError(f"{where}, and there are no keys.", hint=_WAYS)
    )


def _broken(where: str) -> SparkwellError:
    return EnvironmentFault(
        f"{where}, and the keys cannot be read.",
        hint="`sparkwell keys list` says why, and what to do; nothing was started.",
    )


def is_beyond_loopback(host: str, addresses: Callable[[str], Iterable[str]] | None = None) -> bool:
    """Whether a port on that host is reached by other machines; true where that is not known.

    No host, 0.0.0.0 and :: are all addresses of this machine.
    """
    found = list((addresses or addresses_of)(host)) if host else []
    return not found or not all(map(is_loopback, found))


def addresses_of(host: str) -> list[str]:
    """What the system's resolver says of a name or an address; empty where it knows nothing."""
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(each[4][0]) for each in found))
    return []


def open_to_all(gateway: GatewaySettings) -> str | None:
    """The address where everybody is served without a key; None where keys are asked for."""
    return _address(gateway) if gateway.auth == "none" else None


def asks_for_keys(gateway: GatewaySettings, book: KeyBook) -> Callable[[], bool]:
    """What says, at any moment, whether the models answer nobody without a key."""
    return lambda: gateway.auth != "none" and book.standing != "none"


def reminder(gateway: GatewaySettings) -> str | None:
    """What each start says where everybody is served; None where there is nothing to say."""
    if gateway.auth != "none":
        return None
    return (
        f"gateway.auth is none: whoever reaches {_address(gateway)} may use every model, "
        "without a key. `sparkwell keys add NAME` and gateway.auth: keys end that."
    )


def rules_of(gateway: GatewaySettings, etc: Path = ETC) -> Rules:
    """What the settings and this machine's names say of who may come in."""
    return Rules(
        names=own_names(gateway, etc),
        open_to_all=gateway.auth == "none",
        origins=frozenset(gateway.cors_origins),
    )


def own_names(gateway: GatewaySettings, etc: Path = ETC) -> frozenset[str]:
    """Host names that are this machine's, in lower case.

    Its own, alone, below .local (mDNS), in the domains that it looks names up in (a router's, a
    tailnet's) and as /etc/hosts has it; and those of the settings. DNS is not asked: it may take
    seconds. Addresses need no list: see core/hosts.
    """
    host = socket.gethostname().lower()
    short = host.partition(".")[0]
    domains = ("local", *search_domains(etc / "resolv.conf"))
    own = {host, short, *(f"{short}.{domain}" for domain in domains)}
    written = names_beside(short, etc / "hosts")
    return frozenset({*own, *written, gateway.host.lower(), *gateway.names} - {""})


def search_domains(file: Path) -> tuple[str, ...]:
    """The domains that a resolver's file has for short names; empty where there are none."""
    found = [
        word.lower().strip(".")
        for key, *words in _lines(file)
        if key in ("search", "domain")
        for word in words
    ]
    return tuple(dict.fromkeys(domain for domain in found if domain))


def names_beside(name: str, file: Path) -> tuple[str, ...]:
    """What else a hosts file calls the machine of that name; empty where it is not in it."""
    lines = [[word.lower() for word in words] for _, *words in _lines(file)]
    found = [word for words in lines if name in words for word in words]
    return tuple(dict.fromkeys(found))


def _lines(file: Path) -> list[list[str]]:
    """The words of each line that has some, without comments."""
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [words for words in lines if words]


def _address(gateway: GatewaySettings) -> str:
    host = gateway.host or "0.0.0.0"  # noqa: S104 - said, not bound
    return f"{f'[{host}]' if ':' in host else host}:{gateway.port}"
