"""Weights of this host: where they are, where they go, and how they come."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sparkwell.catalog
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import Recipe
from sparkwell.core.errors import UsageError
from sparkwell.drivers import hub
from sparkwell.drivers.download import (
    DownloadRequest,
    Fetched,
    Progress,
    candidates,
    choose_folder,
    fetch,
)
from sparkwell.drivers.download.lengths import cut_files
from sparkwell.drivers.download.place import can_write
from sparkwell.drivers.hub_token import Token, read_token

HUB = "hf:"
_PACKAGE = Path(sparkwell.catalog.__file__).parent
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here whole. Bytes are those of its files; ``seconds`` is how long it took.

    ``fetched_bytes`` is what had to be transferred: 0 for a model that was here already.
    ``checked`` says whether every file was read and compared with its checksum.
    """

    model: str
    repo: str | None
    revision: str | None
    folder: Path
    files: int
    bytes: int
    fetched_bytes: int
    seconds: float
    checked: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A repository to have on this machine, and the name that it was asked for by."""

    model: str
    repo: str
    revision: str | None = None


class Fetching:
    """Downloads for one host. ``token_folders`` are where a ``.env`` may lie."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], token_folders: Iterable[Path] = ()
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._token_folders = tuple(token_folders)

    @property
    def folders(self) -> list[Path]:
        """All cache folders that are looked in."""
        return hub.cache_folders(self._environ, self._settings.weight_folders)

    @property
    def token(self) -> Token | None:
        """The token for the Hub, where there is one."""
        return read_token(self._environ, self._token_folders)

    def find(self, repo: str, revision: str | None = None) -> Path | None:
        """The snapshot of a checkpoint that is here, whole and no file cut; no network."""
        found = hub.find_checkpoint(repo, self.folders, revision)
        with suppress(OSError):
            return found if found and not cut_files(found) else None
        return None

    def target(self, repo: str) -> Path:
        """The cache folder that a download of ``repo`` goes to; nothing is made."""
        named = self._settings.folders.models
        shared = hub.SHARED if hub.SHARED.is_dir() and can_write(hub.SHARED) else None
        own = [home / "hub" for home in hub.hub_home(self._environ)]
        explicit = _explicit(self._environ) or (own[0] if self._environ.get("HF_HOME") else None)
        return choose_folder(
            candidates(repo, self.folders),
            named=Path(named) if named else None,
            explicit=explicit,
            shared=shared,
            own=own[0] if own else None,
        )

    async def pull(
        self, wanted: Wanted, on_progress: OnProgress, *, verify: bool = False
    ) -> Pulled:
        """Make a repository be here whole; the Hub is asked only when it is not.

        ``verify`` reads every file and fetches again what its checksum does not fit. Raises
        SparkwellError.
        """
        began_s = time.monotonic()
        found = self.find(wanted.repo, wanted.revision)
        if found and not verify:
            return _pulled(wanted, _as_found(found), began_s, checked=False)
        folder = found.parents[2] if found else self.target(wanted.repo)
        token = self.token
        source = token.source if token else None
        request = DownloadRequest(wanted.repo, folder.absolute(), wanted.revision, verify, source)
        fetched = await fetch(request, on_progress, environ=self._environ, token=token)
        return _pulled(wanted, fetched, began_s, checked=verify)


def wanted_recipe(recipe: Recipe) -> Wanted | None:
    """The repository of a recipe; None for one whose weights come with Sparkwell."""
    return Wanted(recipe.name, recipe.repo, recipe.revision) if recipe.repo else None


def bundled(recipe: Recipe) -> Pulled:
    """A model whose weights come with Sparkwell: nothing is downloaded."""
    folder = _PACKAGE / (recipe.bundled or "")
    found = _as_found(folder)
    return Pulled(recipe.name, None, None, folder, found.files, found.total_bytes, 0, 0.0, False)


def wanted_repository(name: str) -> Wanted:
    """The repository of ``hf:ORG/NAME``; raises UsageError for a name that is none."""
    repo = name.removeprefix(HUB)
    if not _REPOSITORY.fullmatch(repo):
        raise UsageError(
            f"{repo[:80]!r} is not the name of a repository.",
            hint="Write hf:ORG/NAME, as the Hub shows it.",
        )
    return Wanted(name, repo)


def _explicit(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(named) if named else None


def _as_found(snapshot: Path) -> Fetched:
    sizes = [path.stat().st_size for path in snapshot.rglob("*") if path.is_file()]
    return Fetched(snapshot, len(sizes), sum(sizes), 0)


def _pulled(wanted: Wanted, fetched: Fetched, began_s: float, *, checked: bool) -> Pulled:
    return Pulled(
        model=wanted.model,
        repo=wanted.repo,
        revision=wanted.revision,
        folder=fetched.snapshot,
        files=fetched.files,
        bytes=fetched.total_bytes,
        fetched_bytes=fetched.fetched_bytes,
        seconds=time.monotonic() - began_s,
        checked=checked,
    )
