"""Fake engines that end with the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sparkwell.testing.running import RunningEngine, running_engine

Start = Callable[..., RunningEngine]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start engines that end with the test: ``start("--enforce-eager", never_ready=True)``."""
    with ExitStack() as stack:

        def start_one(*flags: str, **script: object) -> RunningEngine:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(running_engine(folder, *flags, **script))

        yield start_one
