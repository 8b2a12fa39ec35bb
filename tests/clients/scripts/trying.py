"""Runs a script's trials against an endpoint, and prints a JSON line about each.

    CLIENT_URL=http://127.0.0.1:8000 CLIENT_MODEL=demo-qwen3 python NAME.py [TRIAL ...]

A trial is a function that asserts. CLIENT_ENGINE says what answers: "fake" (whose words are known)
or "vllm". CLIENT_KEY is the key. Needs no more than the package that is tried.
"""

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, TypeVar

URL = os.environ.get("CLIENT_URL", "http://127.0.0.1:8000")
BASE = f"{URL}/v1"
MODEL = os.environ.get("CLIENT_MODEL", "demo-qwen3")
KEY = os.environ.get("CLIENT_KEY", "not-needed")
FAKE = os.environ.get("CLIENT_ENGINE", "fake") == "fake"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Oslo", "Paris"]}},
    "required": ["city"],
    "additionalProperties": False,
}
CALL = '{"city": "Oslo"}'  # what the fake engine makes of it
GREETING = "Hello there"
Failure = TypeVar("Failure", bound=Exception)
TRIALS: dict[str, tuple[Callable[[], Any], bool]] = {}


def trial(*, fake_only: bool = False) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Add a function to the trials; one that is ``fake_only`` needs what the demo model cannot."""

    def add(function: Callable[[], Any]) -> Callable[[], Any]:
        TRIALS[function.__name__] = (function, fake_only)
        return function

    return add


def heard(text: str | None, words: str = GREETING, model: str = MODEL) -> None:
    """Assert that a text answers the words; of a real model only that it says something."""
    if FAKE:
        assert text == f"{model} heard: {words}", text
    else:
        assert text, "no text"


def called(name: str | None, arguments: Any) -> None:
    """Assert that the tool was called; what with is known of the fake engine alone."""
    assert name == "weather", name
    if FAKE:
        given = json.loads(arguments) if isinstance(arguments, str) else arguments
        assert given == {"city": "Oslo"}, arguments


def error_of(kind: type[Failure], ask: Callable[[], Any]) -> Failure:
    """The error of that class that asking raises; AssertionError when it raises none."""
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def running() -> float:
    """How many requests the engine has, as the endpoint's /metrics says."""
    headers = {"Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(f"{URL}/metrics", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("vllm:num_requests_running{")]
    return sum(float(line.split()[-1]) for line in found)


def ends_within(seconds: float) -> None:
    """Assert that the engine has nothing to do any more, soon."""
    deadline = time.monotonic() + seconds
    while running():
        assert time.monotonic() < deadline, "the engine goes on generating"
        time.sleep(0.05)


def main(*packages: str) -> None:
    """Run the trials that are named, or all, and say how each went."""
    versions = {package: version(package) for package in packages}
    print(json.dumps({"packages": versions, "python": sys.version.split()[0]}), flush=True)
    for name in sys.argv[1:] or TRIALS:
        function, fake_only = TRIALS[name]
        if FAKE or not fake_only:
            print(json.dumps({"trial": name, **_outcome(function)}), flush=True)


def _outcome(function: Callable[[], Any]) -> dict[str, Any]:
    started = time.monotonic()
    try:
        result = function()
        if inspect.iscoroutine(result):
            asyncio.run(result)
        error = None
    except Exception:
        error = traceback.format_exc()
    return {"ok": error is None, "seconds": round(time.monotonic() - started, 3), "error": error}
