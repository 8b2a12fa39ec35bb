"""Pictures of the command line: whether one can be written, how all look, how they are saved.

matplotlib is imported only when a picture is asked for. Colours are those of Okabe and Ito, which
colour-blind people can tell apart.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkwell.cli.extras import install_command
from sparkwell.cli.out_file import write_out
from sparkwell.core.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = "osD^vPX*"
STYLE: Any = {  # rcParams by name
    "svg.hashsalt": "sparkwell",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "hatch.linewidth": 0.6,
    "hatch.color": "#7A7A7A",
}


def check_picture(file: Path, option: str = "--plot") -> None:
    """Whether a picture could be written there, before anything is computed for it.

    Raises UsageError for another suffix, EnvironmentFault for a folder that takes no file, and
    where matplotlib is missing.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{option} writes PNG or SVG, and {file.name!r} ends in neither.",
            hint=f"For example: {option} {file.stem or 'picture'}.png",
        )
    check_file(file, option)
    have_matplotlib(option)


def check_file(file: Path, option: str) -> None:
    """Whether that file could be written; raises EnvironmentFault."""
    folder = file.parent
    if not folder.is_dir():
        raise EnvironmentFault(
            f"{option}: there is no folder {str(folder)!r}.", hint=f"Make it: mkdir -p {folder}"
        )
    if file.is_dir() or not os.access(file if file.exists() else folder, os.W_OK):
        raise EnvironmentFault(
            f"{option}: {str(file)!r} cannot be written.", hint="Name a file in a folder of yours."
        )


def have_matplotlib(option: str) -> None:
    """Raises EnvironmentFault where it is missing."""
    try:
        import matplotlib.figure  # noqa: F401 - whether it is there
    except ImportError:
        raise EnvironmentFault(
            f"{option} draws with matplotlib, and it is not installed.",
            hint=install_command("plot"),
        ) from None


@contextmanager
def drawn(size: tuple[float, float]) -> "Iterator[Figure]":
    """A figure of so many inches, in the style of all."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context(STYLE):
        layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1)
        yield Figure(figsize=size, dpi=130, layout=layout)


def save(figure: "Figure", file: Path, option: str = "--plot") -> None:
    """Write it; the format goes by the suffix. The same figure gives the same bytes.

    Raises EnvironmentFault, as where a disk is full.
    """
    kind = file.suffix.lower().removeprefix(".")
    metadata = {"Date": None} if kind == "svg" else {}
    drawing = io.BytesIO()
    figure.savefig(drawing, format=kind, metadata=metadata)
    write_out(file, drawing.getvalue(), option)


def plain(axes: "Axes") -> None:
    """A light grid behind all, and no frame above and at the right."""
    axes.set_axisbelow(True)
    axes.grid(which="major", color="#DDDDDD", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)


def plain_numbers(axes: "Axes") -> None:
    """Both scales logarithmic: powers of two across, 1, 2 and 5 of each decade up."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(_number)
    axes.set_yscale("log")
    plain_decades(axes.yaxis)


def _number(value: float, _place: float) -> str:
    """All digits of a step of a scale, also from a million on."""
    return f"{value:,.12g}"


def plain_decades(axis: "Axis") -> None:
    """1, 2 and 5 of each decade of a logarithmic scale, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(_number)
    axis.set_minor_formatter(NullFormatter())
