"""Fields of a Compose service in their several spellings: words, ports, volumes, variables."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sparkwell.core.documents import dotted
from sparkwell.core.errors import DocumentError
from sparkwell.engines.compose.reading_yaml import SECRET, Item

_PORT = re.compile(
    r"(?:(?:(?P<address>\[[^\]]*\]|[^:\s]+):)?(?P<host>\d{1,5}):)?(?P<inner>\d{1,5})(?:/tcp)?"
)


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is not taken over: where it stands, why, and what to do about it."""

    line: int
    field: tuple[str | int, ...]
    why: str
    remedy: str | None = None

    def within(self, *path: str | int) -> "Left":
        """The same, seen from further outside."""
        return replace(self, field=(*path, *self.field))

    @property
    def name(self) -> str:
        """The field as people write it."""
        return dotted(self.field)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command line, and the line of the file that it stands in."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Port:
    """A published port. ``address`` None means every one of the host's, as Docker has it."""

    line: int
    host: int
    inner: int
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """A mount as it is written; ``source`` is None for a volume without a name."""

    line: int
    source: str | None
    target: str
    read_only: bool = False

    @property
    def has_secret(self) -> bool:
        """Whether a secret stood in it."""
        return SECRET in f"{self.source}{self.target}"

    @property
    def is_named(self) -> bool:
        """Whether it is one of Docker's own volumes, no folder of the host."""
        return self.source is None or not self.source.startswith(("/", ".", "~"))


def words(item: Item | None, where: str) -> tuple[Word, ...]:
    """A command: a list, or one text that is split as Compose does it. Raises DocumentError."""
    if item is None:
        return ()
    if item.text is not None:
        try:
            split = shlex.split(item.text.replace("\\\n", " "))
        except ValueError as error:
            reason = str(error).lower()
            raise DocumentError(f"{where}:{item.line}: this command has {reason}") from None
        return tuple(Word(word, item.line) for word in split)
    return tuple(Word(each.text or "", each.line) for each in _scalars(item, where))


def texts(item: Item | None) -> tuple[str, ...]:
    """A list of texts, or one text as a list of one."""
    if item is None:
        return ()
    every = item.items if item.items is not None else (item,)
    return tuple(each.text for each in every if each.text is not None)


def environment(item: Item | None, where: str) -> dict[str, Item]:
    """The variables of a mapping or of a list of NAME=VALUE; one without a value is the host's."""
    if item is None:
        return {}
    if item.fields is not None:
        return dict(item.fields)
    found: dict[str, Item] = {}
    for each in _scalars(item, where):
        name, _, value = (each.text or "").partition("=")
        found[name] = replace(each, text=value)
    return found


def ports(item: Item | None, where: str) -> tuple[tuple[Port, ...], tuple[Left, ...]]:
    """The ports that can be told; ranges, UDP and ports that Docker chooses are left."""
    found: list[Port] = []
    left: list[Left] = []
    for place, each in enumerate(_list(item, where)):
        port = _long_port(each) if each.fields is not None else _short_port(each)
        if port is None:
            why = "is no single TCP port of the host's that leads to one of the container's"
            left.append(Left(each.line, ("ports", place), why))
        else:
            found.append(port)
    return tuple(found), tuple(left)


def _short_port(item: Item) -> Port | None:
    found = _PORT.fullmatch(item.text or "")
    if found is None or found["host"] is None:
        return None
    address = found["address"]
    return _port(item.line, found["host"], found["inner"], address and address.strip("[]"))


def _long_port(item: Item) -> Port | None:
    fields = {key: each.text or "" for key, each in (item.fields or {}).items()}
    if fields.get("protocol", "tcp") != "tcp":
        return None
    published, target = fields.get("published", ""), fields.get("target", "")
    return _port(item.line, published, target, fields.get("host_ip") or None)


def _port(line: int, host: str, inner: str, address: str | None) -> Port | None:
    if not all(re.fullmatch(r"[0-9]{1,5}", text) for text in (host, inner)):
        return None
    if not all(0 < int(text) <= 65535 for text in (host, inner)):
        return None
    return Port(line, int(host), int(inner), None if address == "0.0.0.0" else address)  # noqa: S104


def volumes(item: Item | None, where: str) -> tuple[Volume, ...]:
    """All mounts, in short and in long form."""
    found = (_volume(each) for each in _list(item, where))
    return tuple(each for each in found if each is not None)


def _volume(item: Item) -> Volume | None:
    if item.fields is not None:
        fields = {key: each.text for key, each in item.fields.items()}
        only = fields.get("read_only") == "true"
        return Volume(item.line, fields.get("source"), fields.get("target") or "", only)
    parts = (item.text or "").split(":")
    if len(parts) == 1:
        return Volume(item.line, None, parts[0]) if parts[0] else None
    modes = parts[2].split(",") if len(parts) > 2 else []
    return Volume(item.line, parts[0], parts[1], "ro" in modes)


def _list(item: Item | None, where: str) -> tuple[Item, ...]:
    if item is None or (item.text is None and item.items is None and item.fields is None):
        return ()
    if item.items is None:
        raise DocumentError(f"{where}:{item.line}: expected a list")
    return item.items


def _scalars(item: Item, where: str) -> Iterator[Item]:
    for each in _list(item, where):
        if each.text is None:
            raise DocumentError(f"{where}:{each.line}: expected a text")
        yield each
