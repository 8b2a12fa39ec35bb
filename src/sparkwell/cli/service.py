"""`sparkwell service`: the daemon as a service of systemd."""

import os
import shutil
import subprocess
import sys
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
    command = [sys.executable, "-m", "sparkwell", *context.global_options, "serve"]
    named = {name: context.environ.get(name) for name in INHERITED}
    lines = [f'Environment="{name}={value}"\n' for name, value in named.items() if value]
    environment = "".join(lines).replace("%", "%%")
    target = "multi-user.target" if context.system else "default.target"
    return _UNIT.format(
        command=" ".join(_quoted(word) for word in command), environment=environment, target=target
    )


def _quoted(word: str) -> str:
    """As systemd reads words: % doubled, quoted where there is a space."""
    word = word.replace("%", "%%")
    return f'"{word}"' if " " in word else word


def _unit_file(context: Context) -> Path:
    if context.system:
        return Path("/etc/systemd/system") / NAME
    home = Path(context.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "systemd" / "user" / NAME


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


_UNIT = """[Unit]
Description=Sparkwell, which serves large language models
After=network-online.target

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
