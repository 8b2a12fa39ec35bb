"""Fields of a Compose file that are neither read nor lost: whose they are now, or why not."""

from collections.abc import Iterator, Mapping

from sparkwell.engines.compose.reading_fields import Left
from sparkwell.engines.compose.reading_yaml import Item

# Sparkwell starts, watches and ends containers itself, with values of its own for these.
OWN = frozenset(
    """annotations attach container_name expose healthcheck hostname init ipc labels logging
    platform pull_policy read_only runtime secrets shm_size stdin_open stop_grace_period stop_signal
    tmpfs tty ulimits""".split()  # noqa: SIM905 - a list of words reads better
)
_HAS_ALL_GPUS = "an engine of Sparkwell's gets all GPUs of the machine"
REASONS: Mapping[str, tuple[str, str | None]] = {
    "extends": (
        "is not followed: what the service gets from there is not known here",
        "Import the output of `docker compose config --no-interpolate`, which has it all.",
    ),
    "env_file": ("is not read: such files hold secrets", "--env FILE names one to read from."),
    "depends_on": ("Sparkwell starts models by itself", "`start` names those of `up --all`."),
    "networks": ("the gateway reaches engines on 127.0.0.1, without a network of their own", None),
    "network_mode": ("the gateway reaches engines on 127.0.0.1, on a port of their own", None),
    "build": (
        "images are not built here",
        "Build and tag it; then containers.images or models.NAME.image names it.",
    ),
    "device_ids": (_HAS_ALL_GPUS, None),
    "count": (_HAS_ALL_GPUS, None),
    "include": ("is not followed: import those files as well, each by itself", None),
}
_ALL = ("all", "-1")
_NO_SETTING = "Sparkwell has no setting for this"
# In the file itself: its name, its format, and definitions that services refer to.
_OF_FILE = frozenset({"name", "version", "volumes", "networks", "secrets", "configs"})


def left_of(fields: Mapping[str, Item]) -> tuple[tuple[str, ...], tuple[Left, ...]]:
    """The fields that are Sparkwell's own business, and what is left with its reason."""
    own: list[str] = []
    left: list[Left] = []
    for name, item in fields.items():
        found = list(_left(name, item))
        left += found
        if not found:
            own.append(name)
    return tuple(own), tuple(left)


def left_of_file(fields: Mapping[str, Item]) -> Iterator[Left]:
    """What is left of the top level."""
    for name, item in fields.items():
        if name not in _OF_FILE and not name.startswith("x-"):
            why, remedy = REASONS.get(name, (_NO_SETTING, None))
            yield Left(item.line, (name,), why, remedy)


def _left(name: str, item: Item) -> Iterator[Left]:
    if name == "deploy":
        yield from _of_deploy(item)
    elif name == "gpus":
        if item.text != "all":
            yield Left(item.line, ("gpus",), _HAS_ALL_GPUS)
    elif name == "security_opt":
        yield from _of_security(item)
    elif name not in OWN and not (name == "networks" and _is_default(item)):
        why, remedy = REASONS.get(name, (_NO_SETTING, None))
        yield Left(item.line, (name,), why, remedy)


def _is_default(networks: Item) -> bool:
    """Whether it is the network that every service has; `docker compose config` writes it out."""
    named = networks.fields or [each.text for each in networks.items or ()]
    return list(named) == ["default"]


def _of_security(item: Item) -> Iterator[Left]:
    for each in item.items or ():
        if not (each.text or "").startswith("no-new-privileges"):
            yield Left(each.line, ("security_opt",), _NO_SETTING)


def _of_deploy(item: Item) -> Iterator[Left]:
    """A reservation of all of NVIDIA's GPUs is what every engine gets; anything else is left."""
    for key, value in (item.fields or {}).items():
        if key != "resources":
            yield Left(value.line, ("deploy", key), _NO_SETTING)
    resources = _below(item, "resources")
    for key, value in (resources.fields or {} if resources else {}).items():
        if key != "reservations":
            why = "the plan decides how much memory an engine takes"
            yield Left(value.line, ("deploy", "resources", key), why)
    reservations = _below(resources, "reservations")
    for key, value in (reservations.fields or {} if reservations else {}).items():
        path = ("deploy", "resources", "reservations", key)
        if key != "devices":
            yield Left(value.line, path, _NO_SETTING)
        for place, device in enumerate(value.items or () if key == "devices" else ()):
            yield from (each.within(*path, place) for each in _of_device(device))


def _of_device(device: Item) -> Iterator[Left]:
    for key, value in (device.fields or {}).items():
        every = key in ("driver", "capabilities") or (key == "count" and value.text in _ALL)
        if not every:
            why, remedy = REASONS.get(key, (_NO_SETTING, None))
            yield Left(value.line, (key,), why, remedy)


def _below(item: Item | None, key: str) -> Item | None:
    return (item.fields or {}).get(key) if item else None
