"""EngineCore's program where it shall hold memory. Each line on stdin says how many MiB.

It is run as a file of its own and needs the standard library alone: it is there in 40 ms. When
its parent is gone it keeps what it holds, as the real one does, and ends after its bounded life.
"""

import ctypes
import mmap
import sys
import time
from pathlib import Path

_MIB = 2**20
_PIECE_MIB = 16  # what is given back is given back in whole pieces
_TOUCHED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
_ARGUMENTS = slice(45, 47)  # arg_start and arg_end in /proc/PID/stat, counted after the name


class Memory:
    """Pages that are really there: every one is filled in when it is mapped."""

    def __init__(self) -> None:
        self._pieces: list[mmap.mmap] = []

    def hold(self, mib: int) -> None:
        """Map or unmap until exactly this much is held."""
        while self._held_mib() > mib:
            self._pieces.pop().close()
        while (missing := mib - self._held_mib()) > 0:
            size = min(missing, _PIECE_MIB) * _MIB
            self._pieces.append(mmap.mmap(-1, size, flags=_TOUCHED))

    def _held_mib(self) -> int:
        return sum(len(piece) for piece in self._pieces) // _MIB


def call_oneself(name: bytes) -> None:
    """Write another name over the command line, as setproctitle does for the real one."""
    numbers = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    start, end = (int(number) for number in numbers[_ARGUMENTS])
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, name, min(len(name), end - start - 1))


def main(name: str, life_s: float) -> None:
    """Hold what is asked for, a line of answer each; then live on for ``life_s`` seconds."""
    call_oneself(name.encode())
    memory = Memory()
    for line in sys.stdin:
        memory.hold(int(line))
        print("held", flush=True)
    time.sleep(life_s)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
