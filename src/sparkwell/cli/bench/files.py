"""Files that `sparkwell bench` writes of a run: rows, a page, a picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sparkwell.cli.out_file import write_out
from sparkwell.cli.picture import check_file, check_picture, have_matplotlib

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Files:
    """Where to; None is not asked for."""

    csv_file: Path | None = None
    html_file: Path | None = None
    plot_file: Path | None = None

    def check(self) -> None:
        """Before anything is measured for them; raises SparkwellError."""
        if self.csv_file is not None:
            check_file(self.csv_file, "--csv")
        if self.html_file is not None:
            check_file(self.html_file, "--html")
            have_matplotlib("--html")
        if self.plot_file is not None:
            check_picture(self.plot_file)

    def write(self, document: Mapping[str, Any]) -> None:
        """All that are asked for; raises EnvironmentFault for the first that cannot be written."""
        if self.csv_file is not None:
            from sparkwell.bench.rows import csv_text

            write_out(self.csv_file, csv_text(document).encode(), "--csv")
        if self.html_file is not None:
            from sparkwell.cli.bench.page import page

            write_out(self.html_file, page(document).encode(), "--html")
        if self.plot_file is not None:
            from sparkwell.cli.bench.plot import draw

            draw(document, self.plot_file)


def file_options(command: Command) -> Command:
    """--csv, --html and --plot."""
    for name, words in (
        ("--plot", "Draw it into a PNG or SVG file; needs `pip install 'sparkwell[plot]'`."),
        ("--html", "Write one page with tables and picture; needs the same."),
        ("--csv", "Write a row for each case."),
    ):
        add = click.option(name, f"{name[2:]}_file", type=_FILE, metavar="FILE", help=words)
        command = add(command)
    return command
