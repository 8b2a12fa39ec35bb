"""The package itself: what `pip install .` brings, and that it works without the source tree."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.uv import find_uv

ROOT = Path(__file__).parents[2]
# About 78 MB: 14 are uvloop (decision 0025), 11 hf-xet, which huggingface-hub asks for and which is
# not used here.
LIMIT_BYTES = 82_000_000
HEAVY = ("torch", "vllm", "numpy", "transformers")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the core install: the project and what it needs at run time, no extras."""
    try:
        uv = find_uv(os.environ)
    except EnvironmentFault:
        pytest.skip("uv is not there; `make install` brings it")
    target = tmp_path_factory.mktemp("site")
    command = [uv, "pip", "install", "--quiet", "--target", str(target), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "dns error" in done.stderr:
        pytest.skip("no package index in reach")
    assert done.returncode == 0, done.stderr
    return target


def test_the_core_install_is_small_and_has_no_engine(installed: Path) -> None:
    size = sum(file.lstat().st_size for file in installed.rglob("*") if file.is_file())
    assert size <= LIMIT_BYTES, f"{size / 1e6:.1f} MB"
    assert [name for name in HEAVY if (installed / name).exists()] == []


def test_the_installed_command_knows_its_models_and_files(installed: Path, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "HOME": str(tmp_path)}

    def run(*words: str) -> str:
        command = [str(installed / "bin" / "sparkwell"), *words]
        done = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    names = [entry["name"] for entry in json.loads(run("models", "--json"))["models"]]
    assert {"demo-qwen3", "demo-llama", "qwen3-32b-fp8"} <= set(names)
    assert "max_body_mb" in run("config", "example")
    assert "_SPARKWELL_COMPLETE" in run("completion", "bash")
    assert "KillMode=process" in run("service", "install", "--dry-run")
    assert (installed / "sparkwell" / "catalog" / "demo" / "qwen3" / "model.safetensors").exists()
