"""An engine environment whose engine is the fake one: for tests that go through everything."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from sparkwell.drivers.environments import MARKER, Installed
from sparkwell.engines.environments import environment

_PYTHON = """#!/bin/sh
# Stands in for an engine's Python: `-m MODULE ...` runs the fake engine instead of MODULE.
shift 2
SPARKWELL_FAKE=$(cat {script}) exec {python} -m sparkwell.testing.fake_engine "$@"
"""


def install_fake_environment(engines: Path, name: str = "vllm-cpu", **script: object) -> Path:
    """Make the environment ``name`` below ``engines``, as `sparkwell engine install` would.

    ``script`` is what the fake engine does, by the keys of its own documentation. Returns the
    script's file: writing another JSON object there changes the engines that start later.
    """
    folder = engines / name
    python, script_file = folder / "bin" / "python", folder / "fake.json"
    python.parent.mkdir(parents=True, exist_ok=True)
    script_file.write_text(json.dumps(script), encoding="utf-8")
    text = _PYTHON.format(script=shlex.quote(str(script_file)), python=sys.executable)
    python.write_text(text, encoding="utf-8")
    python.chmod(0o755)
    (folder / MARKER).write_text(json.dumps(asdict(_entry(name, folder, python))))
    return script_file


def _entry(name: str, folder: Path, python: Path) -> Installed:
    kind = environment(name)
    return Installed(
        name=name,
        engine=kind.engine,
        device=kind.device,
        version=kind.version,
        folder=str(folder),
        python=str(python),
        libraries="",
    )
