"""Engines that run on this host, found among its processes and containers."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import psutil

from sparkwell.checks.host_parts import Engine
from sparkwell.doctor.docker import ContainerSeen
from sparkwell.doctor.engine_words import is_worker, kind_of, model_of
from sparkwell.drivers.process.folder import InstanceFolder
from sparkwell.drivers.process.launcher import SHIM_PROGRAM
from sparkwell.drivers.process.shim import proc

_ADOPT = ("init", "systemd", "tini", "dumb-init", "docker-init")
"""Who takes on processes whose parents are gone: the system's first, or a session's."""
_CONTAINER = re.compile(r"docker[-/]([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """A process: its parent, its words, resident memory in bytes, and its container's id.

    ``started_at`` is Unix time in seconds.
    """

    pid: int
    parent: int
    words: tuple[str, ...]
    memory_bytes: int = 0
    container: str | None = None
    started_at: float | None = None


def list_processes() -> list[ProcessSeen]:
    """All processes that have a command line; an engine's with its container, where it has one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error), process.oneshot():
            words = tuple(map(_plain, process.cmdline()))
            if words:  # else a thread of the kernel
                held, parent = process.memory_info().rss, process.ppid()
                inside = container_id(process.pid) if kind_of(words) else None
                began = process.create_time()
                found.append(ProcessSeen(process.pid, parent, words, held, inside, began))
    return found


def container_id(pid: int) -> str | None:
    """The id of the Docker container that a process is in, by its control group."""
    with suppress(OSError):
        match = _CONTAINER.search(Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii"))
        return match[1] if match else None
    return None


@dataclass(frozen=True, slots=True)
class Forest:
    """Processes with what is known of them beside: containers, the GPU's memory, our shims.

    ``gpu_bytes`` is by process. ``home`` is this Sparkwell's state folder: instances whose folders
    lie in it are ours. ``left_over`` are processes of instances of ours that have ended, each with
    its model: nobody will use them any more.
    """

    processes: Mapping[int, ProcessSeen]
    containers: Mapping[str, ContainerSeen] = field(default_factory=dict)
    gpu_bytes: Mapping[int, int] = field(default_factory=dict)
    home: Path | None = None
    left_over: Mapping[int, str] = field(default_factory=dict)

    def engines(self) -> tuple[Engine, ...]:
        """Each engine once: the topmost process of its tree."""
        found = (self._engine(process) for process in self.processes.values())
        return tuple(engine for engine in found if engine)

    def _engine(self, process: ProcessSeen) -> Engine | None:
        kind = kind_of(process.words)
        own = self._kept_model(process.parent) or self.left_over.get(process.pid)
        if own is None and (kind is None or self._is_below_engine(process)):
            return None
        container = self.containers.get(process.container or "")
        name = container.name if container else (process.container or "")[:12] or None
        managed = own or (container.model if container and self._is_ours(container.home) else None)
        return Engine(
            kind=kind or "vllm",
            ours=managed is not None,
            pid=process.pid,
            container=name,
            model=managed or model_of(process.words),
            memory_bytes=self._held(process),
            loaded=self._has_children(process) if kind == "ollama" else None,
            orphan=self._is_orphan(process, inside=name is not None),
            started_at=process.started_at,
        )

    def _is_orphan(self, process: ProcessSeen, *, inside: bool) -> bool:
        """Whether it serves nobody: a worker whose server has gone, or what a run of ours left.

        In a container its first process is its parent, whatever that is.
        """
        if inside:
            return False
        parent = self.processes.get(process.parent)
        # A parent that was not seen may be a server all the same: nobody is called an orphan of it.
        adopter = parent is not None and PurePath(parent.words[0]).name in _ADOPT
        adopted = process.parent == 1 or adopter
        return process.pid in self.left_over or (is_worker(process.words) and adopted)

    def _is_below_engine(self, process: ProcessSeen) -> bool:
        above = self._ancestors(process)
        return any(kind_of(each.words) or self._kept_model(each.pid) for each in above)

    def _ancestors(self, process: ProcessSeen) -> Iterator[ProcessSeen]:
        seen = {process.pid}
        while (above := self.processes.get(process.parent)) and above.pid not in seen:
            seen.add(above.pid)
            yield above
            process = above

    def _held(self, top: ProcessSeen) -> int:
        below = [each for each in self.processes.values() if top in self._ancestors(each)]
        return sum(each.memory_bytes + self.gpu_bytes.get(each.pid, 0) for each in [top, *below])

    def _has_children(self, process: ProcessSeen) -> bool:
        return any(each.parent == process.pid for each in self.processes.values())

    def _kept_model(self, pid: int) -> str | None:
        """The model that a shim of this Sparkwell keeps; None where the process is none."""
        shim = self.processes.get(pid)
        if shim is None or str(SHIM_PROGRAM) not in shim.words:
            return None
        folder = shim.words[-1]
        return _model_of_instance(Path(folder)) if self._is_ours(folder) else None

    def _is_ours(self, folder: str) -> bool:
        home = self.home
        return bool(folder) and home is not None and Path(folder).is_relative_to(home.absolute())


def forest(
    processes: Iterable[ProcessSeen],
    containers: Iterable[ContainerSeen] = (),
    gpu_bytes: Mapping[int, int] | None = None,
    home: Path | None = None,
) -> Forest:
    """The processes, by their numbers; the containers, by theirs."""
    by_pid = {each.pid: each for each in processes}
    by_id = {each.id: each for each in containers}
    return Forest(by_pid, by_id, gpu_bytes or {}, home, left_over(home) if home else {})


def left_over(home: Path) -> dict[int, str]:
    """Processes that live on though their instance has ended, or nobody keeps it: their models."""
    found: dict[int, str] = {}
    with suppress(OSError):
        for folder in map(InstanceFolder, (home / "instances").iterdir()):
            if folder.exists and folder.has_ended:
                model = _model_of_instance(folder.path)
                found |= {each[0]: model for each in folder.listed() if proc.is_alive(each)}
    return found


def _model_of_instance(folder: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        spec = json.loads((folder / "launch.json").read_text(encoding="utf-8"))["spec"]
        return str(spec["model"])
    return folder.name


def _plain(word: str) -> str:
    """Command lines are bytes; what is no text in them is replaced."""
    return word.encode(errors="replace").decode()
