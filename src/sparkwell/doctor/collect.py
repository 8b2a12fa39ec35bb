"""Collects a snapshot: everything at once, each part with a time limit, nothing raised.

A part that takes too long, or fails in a way that nobody foresaw, becomes a gap.
"""

import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import sparkwell
from sparkwell.checks.docker_parts import ContainerGpu, Image
from sparkwell.checks.host_parts import Engine, Folder, Port, System
from sparkwell.checks.model_parts import Partial, Token, Weights
from sparkwell.checks.run_parts import MemoryReading
from sparkwell.checks.snapshot import Gap, Snapshot
from sparkwell.core.errors import SparkwellError
from sparkwell.doctor.ask import clean
from sparkwell.doctor.background import in_background
from sparkwell.doctor.cache import look_at_caches, look_at_weights
from sparkwell.doctor.docker import (
    ContainerSeen,
    gpu_in_container,
    look_at_docker,
    look_at_image,
    running_containers,
)
from sparkwell.doctor.folders import look_at_folder
from sparkwell.doctor.gpu_memory import gpu_bytes_by_process
from sparkwell.doctor.memory_history import memory_of_last_hour
from sparkwell.doctor.ports import look_at_port, with_containers
from sparkwell.doctor.processes import forest, list_processes
from sparkwell.doctor.scope import Checkpoint, Scope
from sparkwell.doctor.settings_text import settings_text
from sparkwell.doctor.token import look_at_token
from sparkwell.doctor.versions import versions_of
from sparkwell.hardware.detect import read_facts
from sparkwell.hardware.facts import Facts
from sparkwell.hardware.recognise import recognise

LIMIT_S = 5.0
Part = TypeVar("Part")


async def collect(scope: Scope) -> Snapshot:
    """The snapshot of this host, now."""
    return await _Collector(scope).snapshot()


@dataclass
class _Collector:
    """One collection; gaps are noted as they come."""

    scope: Scope
    gaps: list[Gap] = field(default_factory=list)

    async def snapshot(self) -> Snapshot:
        environ = self.scope.environ
        async with asyncio.TaskGroup() as group:
            make = group.create_task
            facts = make(self._read("machine", read_facts))
            docker = make(self._part("docker", look_at_docker(environ)))
            image = make(self._part("image", self._image()))
            containers = make(self._part("containers", running_containers(environ)))
            ports = make(self._read("ports", self._ports))
            token = make(self._read("token", self._token))
            weights = make(self._read("weights", self._weights))
            folders = make(self._read("folders", self._folders))
            partials = make(self._read("unfinished downloads", self._partials))
            memory = make(self._read("memory of the last hour", self._memory))
            settings = make(self._read("settings", self._settings))
        first = Snapshot(
            taken_at=time.time(),
            sparkwell=sparkwell.__version__,
            request=self.scope.request,
            docker=docker.result(),
            image=image.result(),
            ports=_named(ports.result(), containers.result()),
            token=token.result(),
            repo=self.scope.repo,
            weights=weights.result(),
            folders=folders.result(),
            environment=self.scope.environment,
            partials=partials.result(),
            memory=memory.result(),
            settings=settings.result(),
        )
        return await self._second_look(first, facts.result(), containers.result() or [])

    async def _second_look(
        self, first: Snapshot, facts: Facts | None, containers: list[ContainerSeen]
    ) -> Snapshot:
        """What is asked for by the answers: processes, Docker's folder, the GPU from inside."""
        known = self._with_machine(first, facts)
        async with asyncio.TaskGroup() as group:
            work = self._read("processes", lambda: self._engines(containers, facts))
            engines = group.create_task(work)
            folders = group.create_task(self._with_images(first))
            seen = group.create_task(self._part("GPU in a container", self._from_inside(known)))
        return replace(
            known,
            engines=engines.result(),
            folders=folders.result(),
            container_gpu=seen.result(),
            versions=(*self.scope.versions, *versions_of(known)),
            gaps=tuple(self.gaps),
        )

    async def _part(self, name: str, work: Awaitable[Part]) -> Part | None:
        try:
            return await work
        except TimeoutError:
            self.gaps.append(Gap(name, f"no answer within {LIMIT_S:.0f} s"))
        except Exception as error:  # a check that cannot look must not keep the others from it
            why = f"{type(error).__name__}: {error}"
            self.gaps.append(Gap(name, clean(why.encode(errors="replace"))))
        return None

    async def _read(self, name: str, work: Callable[[], Part]) -> Part | None:
        return await self._part(name, in_background(work, LIMIT_S))

    def _with_machine(self, snapshot: Snapshot, facts: Facts | None) -> Snapshot:
        if facts is None:
            return snapshot
        known = replace(snapshot, system=_system(facts), gpu=facts.nvml)
        try:
            return replace(known, machine=recognise(facts))
        except SparkwellError as error:
            self.gaps.append(Gap("machine", error.message))
            return known

    async def _image(self) -> Image | None:
        image = self.scope.image
        return await look_at_image(image, self.scope.environ) if image else None

    def _ports(self) -> tuple[Port, ...]:
        pid = self.scope.daemon_pid
        return tuple(look_at_port(address, port, pid) for address, port in self.scope.ports)

    def _token(self) -> Token:
        return look_at_token(self.scope.environ, self.scope.token_folders)

    def _weights(self) -> Weights | None:
        found, repo = self.scope.checkpoint, self.scope.repo
        if found is None:
            return None
        if repo is None:
            return _own(found)
        return look_at_weights(repo.name, found.total_bytes, found.folders, found.snapshot)

    def _folders(self) -> tuple[Folder, ...]:
        found, state = self.scope.checkpoint, self.scope.state
        target = found.target if found else self.scope.weights_folder
        return (
            *((look_at_folder("cache", target),) if target else ()),
            *((look_at_folder("state", state),) if state else ()),
        )

    def _partials(self) -> tuple[Partial, ...] | None:
        return look_at_caches(self.scope.caches) if self.scope.caches else None

    def _memory(self) -> tuple[MemoryReading, ...] | None:
        file = self.scope.metrics
        return memory_of_last_hour(file, time.time()) if file else None

    def _settings(self) -> str | None:
        file = self.scope.settings
        return settings_text(file) if file else None

    async def _with_images(self, first: Snapshot) -> tuple[Folder, ...] | None:
        """Docker's folder, where Docker is this host's own, and its folder can be looked at."""
        root = first.docker.root_folder if first.docker and not first.docker.host else None
        if root is None or first.folders is None:
            return first.folders
        images = await self._read("images", lambda: look_at_folder("images", Path(root)))
        return (*first.folders, images) if images and images.exists else first.folders

    def _engines(
        self, containers: Sequence[ContainerSeen], facts: Facts | None
    ) -> tuple[Engine, ...]:
        gpu = gpu_bytes_by_process() if facts and facts.nvml.gpus else {}
        return forest(list_processes(), containers, gpu, self.scope.state).engines()

    async def _from_inside(self, snapshot: Snapshot) -> ContainerGpu | None:
        image, machine = snapshot.image, snapshot.machine
        on_gpu = machine is not None and machine.device == "cuda"
        if not self.scope.deep or not on_gpu or image is None or not image.present:
            return None
        return await gpu_in_container(image.name, self.scope.environ)


def _system(facts: Facts) -> System:
    about = platform.uname()
    return System(facts.memory, about.release, about.machine, root=os.geteuid() == 0)


def _named(
    ports: tuple[Port, ...] | None, containers: Sequence[ContainerSeen] | None
) -> tuple[Port, ...] | None:
    return ports and tuple(with_containers(port, containers or ()) for port in ports)


def _own(found: Checkpoint) -> Weights:
    """A checkpoint of the package is whole or not there."""
    missing = 0 if found.snapshot else found.total_bytes
    return Weights(
        str(found.snapshot) if found.snapshot else None,
        found.total_bytes,
        missing,
        bundled=found.bundled,
    )
