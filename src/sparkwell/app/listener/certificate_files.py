"""A server's certificate and key, read from files; and what is wrong with them, in words."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sparkwell.app.listener.certificate_dates import validity
from sparkwell.core.errors import EnvironmentFault

SOON_S = 14 * 86_400


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate (with those above it) and private key, both in PEM."""

    certificate: Path
    key: Path


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
    """Clients refuse a certificate after its time: said here, and not by them."""
    found = _dates(certificate)
    if found is not None and now > (until := found[1]):
        raise EnvironmentFault(
            f"The certificate {certificate} was valid until {_day(until)}.",
            hint="Renew it (`certbot renew`, or whatever made it), and start again.",
        )


def said_of_dates(certificate: Path, now: float) -> str | None:
    """What its owner should know: that it is not valid yet, or not much longer; else None."""
    found = _dates(certificate)
    if found is None:
        return None
    since, until = found
    if now < since:
        return f"The certificate {certificate} is valid from {_day(since)} only"
    if until - now < SOON_S:
        return f"The certificate {certificate} is valid until {_day(until)}"
    return None


def _dates(certificate: Path) -> tuple[float, float] | None:
    try:
        return validity(certificate.read_text(encoding="ascii", errors="replace"))
    except OSError:  # it is being replaced: the next look sees the other one
        return None


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
