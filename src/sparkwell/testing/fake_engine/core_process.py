"""The child that stands for vLLM's EngineCore: the process that would hold the GPU's memory.

As the real one it has a session of its own, is called ``VLLM::EngineCore`` in /proc, shows no
environment there, writes to the same output, and lives on when its parent is killed.
"""

import shutil
import subprocess

from sparkwell.testing.fake_engine.script import Script

NAME = "VLLM::EngineCore"
_GRACE_S = 0.5


class EngineCore:
    """A process that does nothing but be there."""

    def __init__(self, script: Script) -> None:
        self._survives = script.child_survives
        self._process = subprocess.Popen(
            [NAME, str(script.child_life_s)],
            executable=shutil.which("sleep"),
            start_new_session=True,
            env={},
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether somebody ended it (or its time was over)."""
        return self._process.poll() is not None

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
