"""All instances of a root folder: which there are, how they ended, which to forget."""

from pathlib import Path

from sparkwell.core.errors import UsageError
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.drivers.ended import latest_first, surplus
from sparkwell.drivers.ollama.folder import OllamaFolder
from sparkwell.drivers.process.folder import check_instance


class OllamaFolders:
    """The folders below ``root``, looked up afresh every time."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def of(self, instance: str) -> OllamaFolder:
        """The folder of an id, there or not; raises UsageError for what is no id."""
        return OllamaFolder(self._root / check_instance(instance))

    def known(self, instance: str) -> OllamaFolder:
        """The folder of an instance; raises UsageError if there never was one."""
        folder = self.of(instance)
        if not folder.exists:
            raise UsageError(f"There is no instance {instance}.")
        return folder

    def every(self) -> list[OllamaFolder]:
        """All instances, ended or not."""
        if not self._root.is_dir():
            return []
        paths = (path for path in self._root.iterdir() if not path.name.startswith("."))
        return [folder for folder in map(OllamaFolder, sorted(paths)) if folder.exists]

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """The ended instances, the latest end first."""
        return latest_first((folder.spec(), folder.exit()) for folder in self.every())

    def prune(self, keep_per_model: int) -> list[str]:
        """Remove the ended instances but the latest few of each model; returns the ids."""
        gone = list(surplus(self.ended(), keep_per_model))
        for instance in gone:
            self.of(instance).remove()
        return gone
