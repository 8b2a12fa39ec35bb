"""What the fake server was asked for: by flags, and by Ollama's own environment variables."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkwell.hardware.quantities import size as bytes_of
from sparkwell.testing.fake_ollama.durations import keep_alive_s
from sparkwell.testing.fake_ollama.library import FakeModel, read_model

VERSION = "0.12.6"


@dataclass(frozen=True, slots=True)
class FakeArguments:
    """Where it listens, what it has, how long things take in seconds, what fails."""

    host: str
    port: int
    models: tuple[FakeModel, ...]
    library: tuple[FakeModel, ...]
    memory_bytes: int
    num_ctx: int
    keep_alive_s: float
    parallel: int
    most_loaded: int
    pull_s: float
    load_s: float
    token_s: float
    fail_pull: str | None
    fail_load: str | None
    serve_after_s: float


def read_arguments(argv: Sequence[str], environ: Mapping[str, str]) -> FakeArguments:
    """Read both; ends the process with argparse's words for what makes no sense."""
    given = _parser().parse_args(argv)
    host, _, port = environ.get("OLLAMA_HOST", "127.0.0.1:11434").partition(":")
    return FakeArguments(
        host=given.host or host,
        port=given.port or int(port or 11434),
        models=tuple(given.models),
        library=tuple(given.library),
        memory_bytes=given.memory,
        # On 48 GiB or more: docs/context-length.mdx.
        num_ctx=int(environ.get("OLLAMA_CONTEXT_LENGTH") or 262_144),
        keep_alive_s=_keep_alive(environ.get("OLLAMA_KEEP_ALIVE") or "5m"),
        parallel=int(environ.get("OLLAMA_NUM_PARALLEL") or 1),
        most_loaded=int(environ.get("OLLAMA_MAX_LOADED_MODELS") or 3),
        pull_s=given.pull_s,
        load_s=given.load_s,
        token_s=given.token_s,
        fail_pull=given.fail_pull,
        fail_load=given.fail_load,
        serve_after_s=given.serve_after_s,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("fake_ollama", allow_abbrev=False)
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    for name in ("--models", "--library"):
        parser.add_argument(name, nargs="+", action="extend", type=read_model, default=[])
    parser.add_argument("--memory", type=_bytes, default=_bytes("100GiB"))
    for name in ("--pull-s", "--load-s", "--token-s", "--serve-after-s"):
        parser.add_argument(name, type=float, default=0.0)
    parser.add_argument("--fail-pull", choices=["cut", "disk", "network"])
    parser.add_argument("--fail-load", choices=["memory", "runner"])
    return parser


def _keep_alive(text: str) -> float:
    """A duration, or a bare number of seconds."""
    return keep_alive_s(int(text) if text.lstrip("-").isdecimal() else text)


def _bytes(text: str) -> int:
    return int(str(bytes_of(text)))
