"""Options that several commands have, and what can be said to them: numbers, an SLO, a model."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sparkwell.planner.profile_names import PROFILES

if TYPE_CHECKING:
    from sparkwell.bench.figures import Slo

_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|)")
_UNITS = {"ms": 1e-3, "s": 1.0, "": 1.0}
_SLO_NAMES = {"ttft": "ttft_s", "tpot": "tpot_s", "e2e": "e2e_s"}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def set_option(text: str) -> Decorator:
    """--set FLAG=VALUE, which gives ``flags``: a tuple of words."""
    return click.option("--set", "flags", multiple=True, metavar="FLAG=VALUE", help=text)


def profile_option(
    text: str = "What the flags are chosen for on a GPU.  [default: balanced]",
) -> Decorator:
    """--profile NAME."""
    return click.option("--profile", type=click.Choice(PROFILES), help=text)


def way_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--driver and --image: how an engine is run."""
    image = click.option(
        "--image", metavar="IMAGE", help="The container image to run the engine from."
    )
    driver = click.option(
        "--driver",
        type=click.Choice(["process", "compose"]),
        help="Run the engine as a process or in a container.  [default: as suits the model]",
    )
    return driver(image(command))


class WithModel(click.Group):
    """`bench MODEL` is `bench run MODEL`: what is no command's name is a model's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it, with `run` where no command is named."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the options are: those of `run` are what most come for."""
        formatter.write_paragraph()
        path = ctx.command_path
        formatter.write_text(f"`{path} MODEL` is `{path} run MODEL`. Options: `{path} run --help`.")


class Numbers(click.ParamType[tuple[Any, ...]]):
    """Numbers with commas between them, each within bounds."""

    name = "numbers"

    def __init__(self, kind: Callable[[str], Any], least: float, most: float) -> None:
        self._kind, self._least, self._most = kind, least, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """The numbers; fails with what is wrong."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self._kind(each) for each in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers such as 1,16,64.", param, ctx)
        wrong = [each for each in found if not self._least <= each <= self._most]
        if wrong:
            self.fail(f"{wrong[0]} is not from {self._least:g} to {self._most:,g}.", param, ctx)
        return found


class SloOption(click.ParamType["Slo"]):
    """ttft=2s,tpot=50ms,e2e=10s."""

    name = "slo"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Slo":
        """The SLO; fails with what is wrong."""
        from sparkwell.bench.figures import Slo

        if isinstance(value, Slo):
            return value
        times: dict[str, float] = {}
        for part in str(value).split(","):
            name, _, time = part.strip().partition("=")
            found = _TIME.fullmatch(time.strip())
            if name not in _SLO_NAMES or found is None or not float(found[1]):
                names = ", ".join(_SLO_NAMES)
                self.fail(f"{part!r} is none of {names}, = and a time (2s, 50ms).", param, ctx)
            times[_SLO_NAMES[name]] = float(found[1]) * _UNITS[found[2]]
        return Slo(**times)
