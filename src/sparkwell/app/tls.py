"""https: a certificate and its key from files, and new ones as soon as they are there.

What renews certificates (certbot, Caddy) writes two files, one after the other. So the files are
looked at when a client connects, and new ones are taken only if they load together and are valid;
until then the ones before them serve on. Connections that are there keep what they began with.
"""

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkwell.app.certificate_dates import validity
from sparkwell.core.errors import EnvironmentFault

logger = logging.getLogger(__name__)
LOOK_S = 5.0
"""Seconds between two looks at the files."""
SOON_S = 14 * 86_400
_State = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate (with those above it) and private key, both in PEM."""

    certificate: Path
    key: Path


class Tls:
    """The context of a server whose certificate may be renewed while it runs.

    ``clock`` is Unix time in seconds. Making one raises EnvironmentFault for files that are
    missing, cannot be read, do not belong together, or are no longer valid.
    """

    def __init__(self, files: TlsFiles, clock: Callable[[], float] = time.time) -> None:
        self._files, self._clock = files, clock
        self._looked_at, self._seen = clock(), _state(files)
        self._current = load(files, clock())
        self.context = load(files, clock())
        self.context.sni_callback = self._choose

    def look(self) -> bool:
        """Take up new files; whether that was done. What is wrong with them is logged, once."""
        state = _state(self._files)
        if state == self._seen:
            return False
        self._seen = state
        try:
            self._current = load(self._files, self._clock())
        except EnvironmentFault as fault:
            logger.warning("The certificate is still the one before: %s", fault)
            return False
        logger.info("The certificate of %s is in use from now on", self._files.certificate)
        return True

    def _choose(self, connection: Any, _name: str | None, _first: ssl.SSLContext) -> None:
        """Called in each handshake, before a certificate is sent."""
        now = self._clock()
        if abs(now - self._looked_at) >= LOOK_S:
            self._looked_at = now
            self.look()
        connection.context = self._current


def load(files: TlsFiles, now: float) -> ssl.SSLContext:
    """A server's context for these files, TLS 1.2 and newer; raises EnvironmentFault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for file in (files.certificate, files.key):
        _must_be_readable(file)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (ssl.SSLError, OSError) as error:
        raise _does_not_load(files, error) from None
    _must_be_valid(files.certificate, now)
    return context


def _must_be_readable(file: Path) -> None:
    try:
        with file.open("rb"):
            return
    except OSError as error:
        raise EnvironmentFault(
            f"{file} cannot be read: {error.strerror or error}.",
            hint="gateway.tls in sparkwell.yaml names certificate and key; this user has to be "
            "able to read both.",
        ) from None


def _does_not_load(files: TlsFiles, error: Exception) -> EnvironmentFault:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        said, hint = f"{files.key} is not the key of {files.certificate}", "Name the pair."
    elif isinstance(error, _PasswordAskedError):
        said, hint = f"{files.key} has a password", f"Take it out: openssl pkey -in {files.key}"
    else:
        said = f"{files.certificate} and {files.key} are no certificate and key in PEM ({reason})"
        hint = f"See what they are: openssl x509 -in {files.certificate} -noout -text"
    return EnvironmentFault(f"{said}.", hint=hint)


class _PasswordAskedError(OSError):
    """OpenSSL would ask for a password at the terminal, which a daemon has none of."""


def _no_password() -> str:
    raise _PasswordAskedError("it has a password")


def _must_be_valid(certificate: Path, now: float) -> None:
    """Clients refuse a certificate before its time and after it: said here, and not by them."""
    found = validity(certificate.read_text(encoding="ascii", errors="replace"))
    if found is None:
        return
    since, until = found
    if now > until:
        raise EnvironmentFault(
            f"The certificate {certificate} was valid until {_day(until)}.",
            hint="Renew it (`certbot renew`, or whatever made it), and start again.",
        )
    if now < since:
        logger.warning("The certificate %s is valid from %s only", certificate, _day(since))
    elif until - now < SOON_S:
        logger.warning("The certificate %s is valid until %s", certificate, _day(until))


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _state(files: TlsFiles) -> _State:
    """What tells that a file is another one; a link counts as what it names."""
    return tuple(_stamp(each) for each in (files.certificate, files.key))


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
