"""Where Sparkwell keeps things: the user's XDG folders, or one folder of the system.

SPARKWELL_HOME puts everything below one folder (tests, several installations side by side).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault

SYSTEM = Path("/var/lib/sparkwell")


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders: configuration, data (engines), state (store, logs, instances) and cache."""

    config: Path
    data: Path
    state: Path
    cache: Path

    @property
    def config_file(self) -> Path:
        """The settings of this host."""
        return self.config / "sparkwell.yaml"

    @property
    def recipes(self) -> Path:
        """The user's own recipes."""
        return self.config / "recipes"

    @property
    def tuned(self) -> Path:
        """The user's own overlays, as `sparkwell tune` writes them."""
        return self.config / "tuned"

    @property
    def engines(self) -> Path:
        """Engine environments."""
        return self.data / "engines"

    @property
    def instances(self) -> Path:
        """One folder for each run of an engine."""
        return self.state / "instances"

    @property
    def containers(self) -> Path:
        """One folder for each run of an engine in a container."""
        return self.state / "containers"

    @property
    def ollama(self) -> Path:
        """One folder for each model that was loaded into Ollama."""
        return self.state / "ollama"

    @property
    def store(self) -> Path:
        """The database."""
        return self.state / "sparkwell.db"

    @property
    def benchmarks(self) -> Path:
        """One file for each run of `sparkwell bench`."""
        return self.state / "benchmarks"

    @property
    def tunings(self) -> Path:
        """One file for each run of `sparkwell tune`."""
        return self.state / "tunings"

    @property
    def socket(self) -> Path:
        """The daemon's control socket."""
        return self.state / "daemon.sock"

    @property
    def pages(self) -> Path:
        """Where the gateway's server finds the pages behind it."""
        return self.state / "pages.sock"

    @property
    def gateway(self) -> Path:
        """Where the gateway's processes ask the daemon, if there are several."""
        return self.state / "gateway.sock"

    @property
    def guard(self) -> Path:
        """Where daemon and memory guard leave word for each other."""
        return self.state / "guard"

    @property
    def lock(self) -> Path:
        """Held by the daemon as long as it lives; names it."""
        return self.state / "daemon.lock"

    @property
    def admin_key(self) -> Path:
        """The key that opens the dashboard."""
        return self.state / "admin.key"

    @property
    def keys_marker(self) -> Path:
        """Says that there have been keys: a store without any is then not to be trusted."""
        return self.state / "keys.used"

    @property
    def metrics(self) -> Path:
        """The database of what was measured; nothing is lost with it but curves."""
        return self.state / "metrics.db"

    @property
    def daemon_log(self) -> Path:
        """What a detached daemon prints."""
        return self.state / "daemon.log"

    def make(self) -> None:
        """Create what the daemon writes to, for this user alone."""
        for folder in (self.state, self.instances, self.cache):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def find_paths(environ: Mapping[str, str], *, system: bool = False) -> Paths:
    """The folders for this user and environment; ``system`` means /var/lib/sparkwell."""
    home = environ.get("SPARKWELL_HOME")
    if home:
        return _below(Path(home).absolute())
    return _below(SYSTEM) if system else _xdg(environ)


def _below(root: Path) -> Paths:
    return Paths(root / "config", root / "data", root / "state", root / "cache")


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        raise EnvironmentFault(
            "This user has no home folder (HOME is not set).",
            hint="Set HOME, or SPARKWELL_HOME to a folder that you may write to.",
        ) from None


def _xdg(environ: Mapping[str, str]) -> Paths:
    """The XDG base directories; state, not runtime: a socket must outlive the login session."""
    user = _home(environ)

    def folder(variable: str, default: str) -> Path:
        # The specification says: a relative path there is to be ignored.
        given = Path(environ.get(variable, ""))
        return (given if given.is_absolute() else user / default) / "sparkwell"

    return Paths(
        config=folder("XDG_CONFIG_HOME", ".config"),
        data=folder("XDG_DATA_HOME", ".local/share"),
        state=folder("XDG_STATE_HOME", ".local/state"),
        cache=folder("XDG_CACHE_HOME", ".cache"),
    )
