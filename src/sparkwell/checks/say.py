"""Short ways to say a finding; figures as people read them."""

from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GIB


def ok(check: str, title: str, *evidence: str) -> Finding:
    """All is well."""
    return Finding(check, Severity.OK, title, evidence)


def info(check: str, title: str, *evidence: str, remedies: tuple[Remedy, ...] = ()) -> Finding:
    """Something to know."""
    return Finding(check, Severity.INFO, title, evidence, remedies=remedies)


def gib(count: int) -> str:
    """Bytes of memory."""
    return f"{count / GIB:.1f} GiB"


def major(version: str | None) -> int | None:
    """The first number of a version: 580 of "580.95.05"."""
    first = (version or "").lstrip("v").split(".")[0]
    return int(first) if first.isascii() and first.isdecimal() and len(first) < 7 else None
