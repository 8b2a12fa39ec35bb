"""From when until when a certificate is valid, read from its DER. Pure.

Python's ssl module tells this of the other side's certificate alone. The path to the two dates is
short: Certificate, tbsCertificate, then behind version, serial number, signature and issuer
(RFC 5280, 4.1).
"""

import re
import ssl
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17
_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
Element = tuple[int, bytes, bytes]
"""Tag, content, and what comes behind it."""


def validity(pem: str) -> tuple[float, float] | None:
    """Unix seconds from and until which the first certificate is valid; None where unreadable."""
    found = _PEM.search(pem)
    if found is None:
        return None
    try:
        return _validity(ssl.PEM_cert_to_DER_cert(found[0]))
    except (ValueError, LookupError):
        return None


def _validity(der: bytes) -> tuple[float, float]:
    inside = _enter(_enter(der))
    tag, _, rest = _next(inside)
    if tag == _VERSION:
        _, _, rest = _next(rest)  # the serial number
    for _ in range(2):  # signature, issuer
        _, _, rest = _next(rest)
    dates = _enter(rest)
    tag, since, dates = _next(dates)
    other, until, _ = _next(dates)
    return _at(tag, since), _at(other, until)


def _enter(der: bytes) -> bytes:
    tag, content, _ = _next(der)
    if tag != _SEQUENCE:
        raise ValueError("no sequence")
    return content


def _next(der: bytes) -> Element:
    """The first element; its length is one byte, or a byte that says how many follow."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return tag, der[start : start + length], der[start + length :]


def _at(tag: int, text: bytes) -> float:
    moment = datetime.strptime(text.decode("ascii"), _FORMATS[tag]).replace(tzinfo=UTC)
    return moment.timestamp()
