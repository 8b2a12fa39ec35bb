"""Engine environments on disk: install, list, remove. Whole or not there at all.

An environment is made in a staging folder beside its place, proved by importing the engine, and
moved into place by one rename. Whatever goes wrong, or whoever interrupts, leaves only staging
behind, and the next call removes it. uv keeps finished downloads, so a second try goes on where
the first one stopped.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.units import file_size
from sparkwell.drivers.system_libraries import provide
from sparkwell.drivers.uv import find_uv, link_mode, torch_source, venv_arguments, with_wheel_folder
from sparkwell.drivers.watched import run_watched
from sparkwell.engines.environments import EngineEnvironment

Report = Callable[[str, float | None], None]
"""Told what is being done, and which share of it is done (0 to 1; None when unknown)."""
_STAGING = ".staging-"
MARKER = "sparkwell-engine.json"
LIBRARIES = Path("lib") / "system"


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that is whole. ``python`` is its interpreter, ``version`` the engine's.

    ``libraries`` is a folder for LD_LIBRARY_PATH; empty where the system has all that is needed.
    """

    name: str
    engine: str
    device: str
    version: str
    folder: str
    python: str
    libraries: str = ""


class EnvironmentStore:
    """The folder that holds the engine environments, one folder each."""

    def __init__(self, root: Path, environ: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._environ = with_wheel_folder(os.environ if environ is None else environ)

    def find(self, name: str) -> Installed | None:
        """The environment of that name if it is installed whole, else None."""
        marker = self.root / name / MARKER
        try:
            return Installed(**json.loads(marker.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def installed(self) -> list[Installed]:
        """All environments that are there."""
        folders = sorted(self.root.glob(f"*/{MARKER}"))
        names = (marker.parent.name for marker in folders)
        found = (self.find(name) for name in names if not name.startswith(_STAGING))
        return [entry for entry in found if entry]

    def is_there(self, name: str) -> bool:
        """Whether an install of that name would replace something, whole or not."""
        return (self.root / name).exists()

    def install(self, wanted: EngineEnvironment, report: Report) -> Installed:
        """Make the environment, replacing one that is there only when the new one is proved.

        ``report`` is told each step in a few words, several times a second while it lasts.
        Raises EnvironmentFault (no uv, no space, uv failed, the import failed, the disk refused)
        and ConflictError (somebody else is installing).
        """
        uv = find_uv(self._environ)
        with self._writing(wanted.name), self._locked():
            self._remove_staging()
            self._need_space(wanted)
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.root))
            try:
                self._build(uv, wanted, staging, report)
                return self._put_in_place(wanted, staging)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Remove an environment; raises EnvironmentFault when there is none of that name."""
        with self._writing(name), self._locked():
            self._remove_staging()
            if self.find(name) is None:
                raise EnvironmentFault(
                    f"The engine environment {name} is not installed.",
                    hint="`sparkwell engine list` shows what is.",
                )
            shutil.rmtree(self._set_aside(self.root / name))

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """Say what the disk refused: full after all, read-only, somebody else's."""
        try:
            yield
        except OSError as error:
            where = error.filename or self.root
            raise EnvironmentFault(
                f"The engine environment {name} cannot be written: {where}: "
                f"{error.strerror or error}.",
                hint="Free some space or correct the rights there, then run the command again; "
                "or set SPARKWELL_HOME to another folder.",
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, also across processes; the lock ends with its process."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConflictError(
                    "Another `sparkwell engine` command is at work on this folder.",
                    hint="Wait for it to end, then try again.",
                ) from None
            yield

    def _remove_staging(self) -> None:
        for folder in self.root.glob(f"{_STAGING}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _set_aside(self, folder: Path) -> Path:
        """Take an environment out of its place in one step, and return where it is now.

        Removing it file by file may stop half-way, and leave a half that counts as installed.
        """
        aside = Path(tempfile.mkdtemp(prefix=f"{_STAGING}old-", dir=self.root))
        return folder.rename(aside)  # over an empty folder a folder may be renamed

    def _need_space(self, wanted: EngineEnvironment) -> None:
        free = shutil.disk_usage(self.root).free
        if free < wanted.disk_bytes:
            raise EnvironmentFault(
                f"No space left for the engine environment {wanted.name}: it needs about "
                f"{file_size(wanted.disk_bytes)}, {self.root} has {file_size(free)} free.",
                hint="Free some space, or set SPARKWELL_HOME to a folder on a larger disk.",
            )

    def _build(self, uv: str, wanted: EngineEnvironment, staging: Path, report: Report) -> None:
        pins = staging / "requirements.txt"
        python = str(staging / "bin" / "python")
        report("making the environment", None)
        self._run([uv, *venv_arguments(staging)], "uv could not make the environment")
        pins.write_text(wanted.requirements, encoding="utf-8")
        options = ["--quiet", "--no-deps", *torch_source(wanted.torch_backend, self._environ)]
        self._run(
            [uv, "pip", "install", "--python", python, *options, "-r", str(pins)],
            "uv could not install the packages",
            lambda written: report("downloading and unpacking", written / wanted.disk_bytes),
        )
        provide(wanted.system_libraries, staging / LIBRARIES, self._environ)
        self._run(
            [python, "-c", wanted.imports],
            "the installed engine cannot be imported",
            lambda _written: report("checking that it can be imported", None),
            libraries=_if_there(staging / LIBRARIES),
        )

    def _run(
        self,
        command: list[str],
        failure: str,
        tick: Callable[[int], None] = lambda _: None,
        libraries: str = "",
    ) -> None:
        environment = self._environment()
        environment["LD_LIBRARY_PATH"] = library_path(libraries, environment)
        run_watched(command, environment, failure, tick)

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in self._environ.items() if k not in _UNWANTED}
        return {**kept, "UV_LINK_MODE": kept.get("UV_LINK_MODE") or link_mode(self.root, kept)}

    def _put_in_place(self, wanted: EngineEnvironment, staging: Path) -> Installed:
        final = self.root / wanted.name
        entry = Installed(
            name=wanted.name,
            engine=wanted.engine,
            device=wanted.device,
            version=wanted.version,
            folder=str(final),
            python=str(final / "bin" / "python"),
            libraries=str(final / LIBRARIES) if (staging / LIBRARIES).exists() else "",
        )
        marker = staging / MARKER
        marker.write_text(json.dumps(asdict(entry), indent=1), encoding="utf-8")
        staging.chmod(0o755)
        old = self._set_aside(final) if final.exists() else None
        staging.rename(final)
        if old:
            shutil.rmtree(old, ignore_errors=True)  # what is left the next call removes
        return entry


_UNWANTED = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET"})


def _if_there(folder: Path) -> str:
    return str(folder) if folder.exists() else ""


def library_path(folder: str, environ: Mapping[str, str]) -> str:
    """LD_LIBRARY_PATH with ``folder`` in front of what is there; either may be empty."""
    return ":".join(part for part in (folder, environ.get("LD_LIBRARY_PATH", "")) if part)
