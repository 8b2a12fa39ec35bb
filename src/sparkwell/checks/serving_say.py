"""Evidence of a serving model as people read it."""


def percent(share: float) -> str:
    """A share, 0 to 1, in per cent; with a decimal where rounding would hide which side it is."""
    shown = 100 * share
    return f"{shown:.0f} %" if abs(shown - round(shown)) < 0.05 else f"{shown:.1f} %"


def line(what: str, measured: str, wanted: str, who: str) -> str:
    """One figure beside what it is judged by: "TTFT: 3.1 s; 2 s at most (who says so)"."""
    return f"{what}: {measured}; {wanted} ({who})"


def below(*figures: tuple[str, float | None]) -> tuple[str, ...]:
    """The figures that are known, each as "3.5 run on average"."""
    return tuple(f"{_plain(value)} {what}" for what, value in figures if value is not None)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.1f}"
