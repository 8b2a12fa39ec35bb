"""The child that stands for vLLM's EngineCore: the process that would hold the GPU's memory.

As the real one it has a session of its own, is called ``VLLM::EngineCore`` in /proc, shows no
environment there, writes to the same output, and lives on when its parent is killed. It is a
``sleep``; where it shall hold memory it is ``memory_holder``.
"""

import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from sparkwell.testing.fake_engine.script import Script

NAME = "VLLM::EngineCore"
_GRACE_S = 0.5
_HOLDER = Path(__file__).with_name("memory_holder.py")


class EngineCore:
    """A process that does nothing but be there, and hold memory."""

    def __init__(self, script: Script) -> None:
        self._survives = script.child_survives
        self._process = _holder(script) if script.holds_memory else _sleeper(script)
        self._asking = threading.Lock()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def hold(self, mib: int) -> None:
        """Let it hold that much memory; returns when it does, or has ended."""
        if not (self._process.stdin and self._process.stdout):
            return
        with self._asking, suppress(BrokenPipeError):
            self._process.stdin.write(b"%d\n" % mib)
            self._process.stdin.flush()
            self._process.stdout.readline()

    def has_ended(self) -> bool:
        """Whether somebody ended it (or its time was over)."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Let it crash."""
        self._process.kill()

    def end(self) -> None:
        """Terminate it, then kill it; unless the script wants it left behind."""
        if self._survives:
            self._process.returncode = 0  # nobody will wait for it: no warning about that
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _sleeper(script: Script) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [NAME, str(script.child_life_s)],
        executable=shutil.which("sleep"),
        start_new_session=True,
        env={},
    )


def _holder(script: Script) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_HOLDER), NAME, str(script.child_life_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={},
    )
