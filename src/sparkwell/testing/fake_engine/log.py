"""Writes log lines as vLLM does: whose line it is, when, and in which process."""

import os
import sys
import time
from pathlib import Path

from sparkwell.testing.fake_engine.wording import Style

_OWN_LOGGER = ("uvicorn", "bare")  # these say everything themselves


class Log:
    """The engine's stdout and stderr. ``core_pid`` is set as soon as EngineCore runs."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self.core_pid: int | None = None

    def say(self, line: str, *, level: str = "INFO") -> None:
        """Print a line of wording: its first word is who says it."""
        who, _, text = line.partition(" ")
        if who in _OWN_LOGGER:
            return self._bare(text, prefixed=who == "uvicorn")
        at = time.strftime("%m-%d %H:%M:%S")
        return print(f"{self.prefix(who)}{level} {at} {text}", flush=True)

    def progress(self, text: str) -> None:
        """Print a tqdm line; one without a carriage return gets a line of its own."""
        prefix = self.prefix("core") if self._style.prefixed_output else ""
        print(prefix + text, end="" if text.endswith("\r") else "\n", file=sys.stderr, flush=True)

    def traceback(self, who: str, lines: list[str]) -> None:
        """Print a traceback on stderr, with the prefix of the process it happened in."""
        print(*(self.prefix(who) + line for line in lines), sep="\n", file=sys.stderr, flush=True)

    def quote(self, file: str) -> None:
        """Print the lines of a file as they stand there, on stderr."""
        print(Path(file).read_text(encoding="utf-8"), end="", file=sys.stderr, flush=True)

    def prefix(self, who: str) -> str:
        """Begin a line: ``(EngineCore pid=887) ``."""
        name = {"api": "APIServer", "core": self._style.core, "worker": "Worker"}[who]
        return f"({name} pid={os.getpid() if who == 'api' else self.core_pid or os.getpid()}) "

    def _bare(self, text: str, *, prefixed: bool) -> None:
        prefix = self.prefix("api") if prefixed and self._style.prefixed_output else ""
        print(prefix + text, flush=True)
