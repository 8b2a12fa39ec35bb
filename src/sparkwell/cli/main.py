"""The `sparkwell` command: global options, lazy commands, and errors without tracebacks."""

import importlib
import json
import keyword
import os
import signal
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import click

import sparkwell
from sparkwell.cli.telling import tell
from sparkwell.core.errors import EnvironmentFault, SparkwellError, UsageError

if TYPE_CHECKING:
    from sparkwell.core.findings import Finding

# pydantic would look through all installed packages for plugins: a tenth of a short command's time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

COMMANDS = {
    "demo": "A real engine with a small model, installed and started in one go.",
    "up": "Start a model and wait until it has answered.",
    "down": "Stop the model, or whatever runs.",
    "restart": "Stop and start the model again.",
    "ps": "List what runs.",
    "status": "Show the daemon, the model and how far it is.",
    "top": "Watch models, switches, queue and memory live.",
    "ui": "Print a link that opens the dashboard.",
    "logs": "Show an engine's log.",
    "events": "Show what happened, and why.",
    "keys": "Make, list, rotate and revoke the keys of clients.",
    "usage": "Show what keys used: requests and tokens.",
    "bench": "Measure how fast a running model really is.",
    "verify": "Check plan and guides by measuring; write a report.",
    "tune": "Find flags that are faster here, by measuring.",
    "batch": "Answer the requests of a file, as OpenAI's Batch API does.",
    "pull": "Download a model's weights.",
    "preflight": "Check whether a model could be started here, without starting it.",
    "doctor": "Find what is wrong: symptom, evidence, cause, remedy.",
    "models": "List the models that can be served.",
    "plan": "Show what fits, how fast, and why, before anything starts.",
    "compare": "Put models side by side: memory, speed, start-up.",
    "recommend": "Say which model suits a need on this machine.",
    "hardware": "Show this machine, or one that is described.",
    "flags": "Explain the flags that an engine takes.",
    "compose": "Print a Docker Compose file that serves models without Sparkwell.",
    "serve": "Run the daemon in the foreground.",
    "engine": "Install, list and remove engines.",
    "init": "Look at this machine and write its settings file.",
    "import": "Read what a Compose file serves, and take it over.",
    "config": "Show the settings, an example file, or the schema.",
    "service": "Run the daemon as a system service (systemd).",
    "completion": "Print the shell's completion script.",
}


class LazyGroup(click.Group):
    """Commands that are imported on use; help lists them without importing any."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import the command of that name."""
        if name not in COMMANDS:
            return None
        word = f"{name}_" if keyword.iskeyword(name) else name
        command: click.Command = getattr(_module(f"sparkwell.cli.{word}"), word)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with near names for a typing error."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], COMMANDS, n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command table, from the texts above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _module(name: str) -> ModuleType:
    """A command's module; of a package, ``command`` in it: what others take from it stays light."""
    found = importlib.import_module(name)
    return importlib.import_module(f"{name}.command") if hasattr(found, "__path__") else found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SPARKWELL_CONFIG",
    show_envvar=True,
    help="Settings file (default: sparkwell.yaml in the configuration folder).",
)
@click.option(
    "--recipes",
    multiple=True,
    type=click.Path(file_okay=False, exists=True),
    help="One more folder with recipes; may be given several times.",
)
@click.option("--system", is_flag=True, help="Use /var/lib/sparkwell, as the system service does.")
@click.version_option(sparkwell.__version__, "-V", "--version", prog_name="sparkwell")
@click.pass_context
def cli(
    ctx: click.Context, config_file: Path | None, recipes: tuple[str, ...], system: bool
) -> None:
    """Serve large language models well on one box.

    \b
    Start here:
      sparkwell demo            a real engine and a small model, on any machine
      sparkwell models          what can be served
      sparkwell up MODEL        serve it on http://127.0.0.1:8000/v1
    """  # noqa: D301 - \b is click's mark for "leave these lines alone"
    from sparkwell.cli.context import Context

    ctx.obj = Context(os.environ, config_file, recipes, system)
    ctx.color = _colours()


def main() -> NoReturn:
    """Run the command line; every error that a user can act on is one message, exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
    except SparkwellError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _complain_of_words(error)
        sys.exit(error.exit_code)
    except OSError as error:
        _complain(_from_system(error))
        sys.exit(SparkwellError.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        tell("Interrupted.")
        sys.exit(128 + _signal_of(error))
    sys.exit(code if isinstance(code, int) else 0)


def _signal_of(error: BaseException) -> int:
    """What interrupted it; click raises an error of its own from ours."""
    known = (getattr(each, "number", None) for each in (error, error.__cause__))
    return next((int(number) for number in known if number is not None), signal.SIGINT)


def _colours() -> bool | None:
    """False where NO_COLOR forbids them, else as the terminal is."""
    return False if os.environ.get("NO_COLOR") else None


def _complain(error: SparkwellError) -> None:
    if _wants_json():
        body = {"code": error.code, "message": error.message, "hint": error.hint, **_found(error)}
        click.echo(json.dumps({"error": body}), err=True, color=_colours())
        return
    from sparkwell.cli.finding_text import plain  # names in errors may come from whoever asks

    said = click.style("Error: ", fg="red", bold=True) + plain(error.message)
    click.echo(said, err=True, color=_colours())
    if found := getattr(error, "findings", None):
        _tell(found)
    if error.hint:
        click.echo(plain(error.hint), err=True, color=_colours())


def _tell(findings: Iterable["Finding"]) -> None:
    """Why a start failed, below the error."""
    from sparkwell.cli.finding_text import finding_lines, text_width

    fixed_by, width = "sparkwell doctor --fix", text_width()
    for finding in findings:
        lines = finding_lines(finding, width=width, with_id=True, fixed_by=fixed_by)
        click.echo("\n".join(["", *lines]), err=True, color=_colours())
    click.echo(err=True, color=_colours())


def _found(error: SparkwellError) -> dict[str, object]:
    """What was found of why a start failed, where the error has it."""
    found = getattr(error, "findings", None)
    return {} if found is None else {"findings": [each.to_json() for each in found]}


def _complain_of_words(error: click.ClickException) -> None:
    """Click's own errors: an unknown option, a missing argument."""
    if _wants_json():
        _complain(UsageError(error.format_message(), hint="--help says what there is."))
    else:
        error.show()


def _from_system(error: OSError) -> EnvironmentFault:
    """A refusal of the operating system that nobody foresaw: no right, no space, no file."""
    where = f": {error.filename}" if error.filename else ""
    return EnvironmentFault(
        f"The system refused{where} ({error.strerror or error}).",
        hint="Check the rights and the space there; SPARKWELL_HOME names another folder.",
    )


def _wants_json() -> bool:
    words = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
    return "--json" in words
