"""What tests of faults look at, and how they hurt: states, events, intents, processes."""

import http.client
import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from sparkwell.core.units import GIB
from sparkwell.testing.environment import install_fake_environment
from tests.acceptance.conftest import Home, wait_for

Json = dict[str, Any]
REPOSITORY = Path(__file__).parents[2]
ONE_MODEL_GIB = 4.0
"""A demo model plans 2.5 GiB on the CPU build: two of them have to take turns."""
AT_ONCE: Json = {"min_residency_s": 0, "patience_s": 0.3, "hold_headers_s": 0.5}


# ── a home whose models take turns ──────────────────────────────────────────────────────────


def taking_turns(home: Home, switching: Json | None = None, **settings: Any) -> None:
    """Write settings under which one demo model fits at a time, and nobody has to be patient."""
    queue = {"budget_gib": ONE_MODEL_GIB, **AT_ONCE, **(switching or {})}
    home.configure({"switching": queue, "gateway": {"drain_s": 1}, **settings})


def script_each(home: Home, **by_model: Json) -> None:
    """Tell engines that start from now on what to do, each model its own: ``demo_llama={…}``."""
    folder = install_fake_environment(home.paths.engines).parent
    lines = ["#!/bin/sh", "shift 2", 'case " $* " in']
    for name, keys in by_model.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(keys), encoding="utf-8")
        pattern = name.replace("_", "-")
        lines.append(f'*" {pattern} "*) script={shlex.quote(str(file))};;')
    lines.append(f"*) script={shlex.quote(str(folder / 'fake.json'))};;")
    lines.append("esac")
    python = shlex.quote(sys.executable)
    lines.append(
        f'SPARKWELL_FAKE=$(cat "$script") exec {python} -m sparkwell.testing.fake_engine "$@"'
    )
    (folder / "bin" / "python").write_text("\n".join(lines) + "\n", encoding="utf-8")


def serve(home: Home, **alterations: Any) -> subprocess.Popen[bytes]:
    """Run the daemon, with what ``switching_altered`` changes, and return when it answers."""
    module = ["tests.acceptance.switching_altered", json.dumps(alterations)]
    program = module if alterations else ["sparkwell"]
    log = home.root / "serve.log"
    daemon = home.spawn_command(
        [sys.executable, "-m", *program, "serve"], log, REPOSITORY if alterations else None
    )
    wait_for(lambda: daemon.poll() is not None or answers(home))
    assert daemon.poll() is None, log.read_text()
    return daemon


def answers(home: Home) -> bool:
    """Whether a daemon's control socket answers, and it has taken over what there was."""
    try:
        return admin(home)["recovering"] is False
    except (OSError, http.client.HTTPException):
        return False


# ── what is there ───────────────────────────────────────────────────────────────────────────


class _Control(http.client.HTTPConnection):
    """HTTP over the daemon's control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("sparkwell", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def admin(home: Home, path: str = "/admin/status") -> Json:
    """Ask the daemon itself, which is quicker than the command line: a state may be short."""
    with closing(_Control(home.paths.socket)) as connection:
        connection.request("GET", path)
        document: Json = json.loads(connection.getresponse().read())
    return document


def state(home: Home, model: str) -> str | None:
    """The state of a model's instance."""
    found = [each["state"] for each in admin(home)["instances"] if each["model"] == model]
    return found[0] if found else None


def until_state(home: Home, model: str, wanted: str | None, timeout: float = 30) -> None:
    """Wait for a state; None: no instance."""
    wait_for(lambda: state(home, model) == wanted, timeout)


def events(home: Home, *kinds: str) -> list[Json]:
    """What `sparkwell events` shows, oldest first."""
    found: list[Json] = home.json("events", "-n", "2000")["events"]
    return [each for each in found if not kinds or each["kind"] in kinds]


def told(home: Home, kind: str) -> str:
    """The messages of all events of a kind."""
    return "\n".join(each["message"] for each in events(home, kind))


def rows(home: Home, sql: str) -> list[tuple[Any, ...]]:
    """Ask the store's file."""
    with closing(sqlite3.connect(f"file:{home.paths.store}?mode=ro", uri=True)) as store:
        return store.execute(sql).fetchall()


def open_intents(home: Home) -> list[tuple[Any, ...]]:
    """What was begun and not finished."""
    return rows(home, "SELECT kind, model, instance FROM intents WHERE outcome IS NULL")


def launches(home: Home) -> list[str]:
    """The instances whose engines were ever launched: each has a folder with a log."""
    return sorted(folder.name for folder in home.paths.instances.iterdir())


# ── who lives ───────────────────────────────────────────────────────────────────────────────


def command_line(process: psutil.Process) -> str:
    """Its words; empty for one that has gone, or is a zombie."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def server_of(home: Home, model: str) -> psutil.Process:
    """The engine's first process, its API server."""
    words = ("fake_engine", "api_server")
    for each in home.engine_processes():
        line = command_line(each)
        if "shim" not in line and model in line and any(word in line for word in words):
            return each
    raise AssertionError(f"no engine of {model} among {engines(home)}")


def core_of(home: Home, model: str) -> psutil.Process:
    """The process that computes: EngineCore."""
    children = server_of(home, model).children(recursive=True)
    return next(each for each in children if "EngineCore" in command_line(each))


def engines(home: Home) -> list[str]:
    """The command lines of everything below a shim, and of the shims."""
    return [line for each in home.engine_processes() if (line := command_line(each))]


def cores() -> list[psutil.Process]:
    """Every EngineCore of this machine."""
    return [each for each in psutil.process_iter() if "EngineCore" in command_line(each)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""
    return [each for each in processes if command_line(each)]


def one_engine_each(home: Home) -> None:
    """No model has two engines, and none runs that the daemon does not know."""
    known = {each["id"] for each in admin(home)["instances"] if each["state"] != "failed"}
    shims = [line for line in engines(home) if "shim" in line]
    running = [name for name in launches(home) if any(name in line for line in shims)]
    assert sorted(running) == sorted(known)


def kill_daemon(home: Home) -> None:
    """Kill -9, and nothing of it is left but what it had started."""
    pid = admin(home)["pid"]
    os.kill(pid, signal.SIGKILL)
    for each in home.spawned:
        if each.pid == pid:
            each.wait(10)


def kill_engines(home: Home) -> None:
    """Everything of every engine at once, shims too, as a power cut does."""
    for process in home.engine_processes():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_for(lambda: engines(home) == [])


def available_bytes() -> int:
    """What is available on this machine now."""
    return int(psutil.virtual_memory().available)


def gib(size_bytes: float) -> float:
    """A size as the settings have it."""
    return round(size_bytes / GIB, 2)
