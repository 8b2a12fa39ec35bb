"""`sparkwell service`: the daemon as a service of systemd."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from sparkwell.cli.context import Context, pass_context
from sparkwell.core.errors import EnvironmentFault, UsageError

NAME = "sparkwell.service"
# What tells this command where things lie must tell the service the same.
INHERITED = (
    "SPARKWELL_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
)


@click.group(short_help="Run the daemon as a system service (systemd).")
def service() -> None:
    """A service starts the daemon with the machine, and again when it has crashed."""


@service.command()
@click.option("--dry-run", is_flag=True, help="Print the unit, install nothing.")
@pass_context
def install(context: Context, dry_run: bool) -> None:
    """Write a systemd unit and start it.

    For this user by default; with `sparkwell --system service install`, as root, for the
    machine. Restarting the service leaves the engines running.
    """
    unit = render_unit(context)
    if dry_run:
        click.echo(unit, nl=False)
        return
    file = _unit_file(context)
    _need_systemd(context)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(unit, encoding="utf-8")
    click.echo(f"Wrote {file}")
    _systemctl(context, "daemon-reload")
    _systemctl(context, "enable", "--now", NAME)
    click.echo(_when(context))


@service.command()
@pass_context
def remove(context: Context) -> None:
    """Stop the service and remove its unit. Engines go on; `sparkwell down` stops them."""
    file = _unit_file(context)
    if not file.exists():
        raise UsageError(f"There is no service here ({file} does not exist).")
    _need_systemd(context)
    _systemctl(context, "disable", "--now", NAME)
    file.unlink()
    _systemctl(context, "daemon-reload")
    click.echo(f"Removed {file}")


def _when(context: Context) -> str:
    if context.system:
        return "The daemon runs, and will start with the machine."
    return (
        "The daemon runs, and will start when you log in. To have it start with the machine, "
        "and outlive your session: `loginctl enable-linger`."
    )


def render_unit(context: Context) -> str:
    """The unit file. KillMode=process: a restart of the daemon must not end the engines."""
    words = ["-m", "sparkwell", *context.global_options, "serve"]
    # systemd puts variables into arguments ($$ is a dollar), but not into the program's path.
    arguments = [_quoted(word).replace("$", "$$") for word in words]
    return _UNIT.format(
        network=_NETWORK if context.system else "",
        command=" ".join([_quoted(sys.executable), *arguments]),
        environment="".join(_environment(context.environ)),
        target="multi-user.target" if context.system else "default.target",
    )


def _environment(environ: Mapping[str, str]) -> Iterator[str]:
    """The lines with the variables. Values there keep their dollars, unlike arguments."""
    for name in INHERITED:
        value = environ.get(name)
        if value and name.startswith("XDG_") and not Path(value).is_absolute():
            continue  # the specification says so, and app/paths.py ignored it as well
        if value:  # relative to here; the service will be elsewhere
            yield f"Environment={_quoted(f'{name}={Path(value).absolute()}')}\n"


def _quoted(word: str) -> str:
    """As systemd reads words: in quotes, with quotes, backslashes and % escaped.

    Raises UsageError for what would end the line: no unit can say it.
    """
    if any(mark in word for mark in "\n\r\0"):
        raise UsageError(
            f"{word!r} contains the end of a line, which a unit of systemd cannot hold.",
            hint="Rename that folder, or correct that option or variable.",
        )
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _unit_file(context: Context) -> Path:
    if context.system:
        return Path("/etc/systemd/system") / NAME
    named = Path(context.environ.get("XDG_CONFIG_HOME", ""))
    home = Path(context.environ.get("HOME") or Path.home())
    return (named if named.is_absolute() else home / ".config") / "systemd" / "user" / NAME


def _need_systemd(context: Context) -> None:
    if not shutil.which("systemctl"):
        raise EnvironmentFault(
            "This machine has no systemd (systemctl is not there).",
            hint="`sparkwell service install --dry-run` prints the unit; or run `sparkwell serve` "
            "under the service manager that there is.",
        )
    if context.system and os.geteuid() != 0:
        raise EnvironmentFault("A service of the system can only be installed by root.")


def _systemctl(context: Context, *words: str) -> None:
    scope = [] if context.system else ["--user"]
    done = subprocess.run(
        ["systemctl", *scope, *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise EnvironmentFault(f"systemctl {' '.join(words)} failed: {said}.")


# After= alone orders, but does not ask for the network; a user's manager has no such target.
_NETWORK = "Wants=network-online.target\nAfter=network-online.target\n"
_UNIT = """[Unit]
Description=Sparkwell, which serves large language models
{network}
[Service]
Type=exec
ExecStart={command}
{environment}# SIGTERM drains requests and leaves the engines to the next daemon.
KillMode=process
TimeoutStopSec=90
Restart=on-failure
RestartSec=5

[Install]
WantedBy={target}
"""
