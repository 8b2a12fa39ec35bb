"""Bytes, seconds and other figures, as people read them.

Memory counts in GiB (2^30), as vLLM logs it; files and downloads in GB (10^9), as the Hub shows
them.
"""

GIB = 1024**3
MIB = 1024**2
GB = 10**9
MB = 10**6


def file_size(count: float) -> str:
    """Format a byte count as a file manager does, in powers of ten: ``"34.3 GB"``."""
    for unit, size in (("GB", GB), ("MB", MB), ("kB", 1000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{int(count)} B"


def figure(value: float) -> str:
    """Format with three digits, and all before the point: ``"12,360"``, ``"48.0"``, ``"0.125"``."""
    exponent = int(f"{value:.2e}".rpartition("e")[2])  # of the rounded: 9.996 has two digits before
    return f"{value:,.{max(0, 2 - exponent)}f}"


def duration(seconds: float) -> str:
    """Format seconds for a status line: ``"8 s"``, ``"1 min 05 s"``, ``"2 h 10 min"``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
