"""Docker Compose files that people have: text to services, each field with its line. Pure.

What is read here is what an inference engine is started with; reading_vllm and reading_ollama say
what that means. A field that means nothing to Sparkwell becomes a ``Left`` with the reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparkwell.core.documents import dotted
from sparkwell.core.errors import DocumentError
from sparkwell.engines.compose.reading_fields import (
    Left,
    Port,
    Volume,
    Word,
    environment,
    ports,
    texts,
    volumes,
    words,
)
from sparkwell.engines.compose.reading_kept import left_of, left_of_file
from sparkwell.engines.compose.reading_variables import Variables, is_secret
from sparkwell.engines.compose.reading_yaml import Item, read_items

READ = {
    "image", "entrypoint", "command", "environment", "ports", "volumes", "profiles", "restart",
}  # fmt: skip
__all__ = ["ComposeFile", "ComposeService", "Left", "Port", "Volume", "Word", "read_compose"]


@dataclass(frozen=True, slots=True)
class ComposeService:
    """One service. ``argv`` is the entrypoint with the command behind it.

    ``environment`` has no secrets: a value that is or holds one is None. ``own`` names the fields
    that Sparkwell takes care of by itself, ``left`` what is not taken over, with the reason.
    """

    name: str
    line: int
    image: str | None
    argv: tuple[Word, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    volumes: tuple[Volume, ...] = ()
    profiles: tuple[str, ...] = ()
    restart: str | None = None
    own: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()

    def path(self, *steps: str | int) -> str:
        """A field of this service as people write it."""
        return dotted(("services", self.name, *steps))


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """All services in their order, what is left of the file itself, and names without a value."""

    services: tuple[ComposeService, ...]
    left: tuple[Left, ...]


def read_compose(text: str, where: str, variables: Mapping[str, str]) -> ComposeFile:
    """Read a Compose file, or the services alone as guides print them.

    ``variables`` are those of .env and the environment, secrets replaced. Raises DocumentError
    that names file and line for what is no Compose file.
    """
    known = Variables(variables, where)
    root = read_items(text, where, known.fill)
    services = _services(root, where)
    found = tuple(_service(name, item, where) for name, item in services.items())
    return ComposeFile(found, (*_of_file(root, services), *_unset(known)))


def _services(root: Item, where: str) -> Mapping[str, Item]:
    if root.fields is None:
        said = "a list" if root.items is not None else "a text"
        empty = root.text is None and root.items is None
        what = "this file is empty" if empty else f"this is {said}, not a mapping"
        raise DocumentError(f"{where}:{root.line}: {what}: no Compose file")
    if "services" not in root.fields:
        return _bare(root.fields, where)
    services = root.fields["services"]
    if not services.fields:
        line = services.line
        raise DocumentError(f"{where}:{line}: services: expected a mapping of names to services")
    return services.fields


def _bare(fields: Mapping[str, Item], where: str) -> Mapping[str, Item]:
    """Services without ``services:`` around them, as they are pasted from a guide."""
    if not all(item.fields and {"image", "build"} & item.fields.keys() for item in fields.values()):
        names = ", ".join(list(fields)[:5])
        raise DocumentError(
            f"{where}:1: there are no services here, so this is no Compose file (it has {names})",
            hint="A Compose file begins with `services:`, and has an image for each.",
        )
    return fields


def _service(name: str, item: Item, where: str) -> ComposeService:
    fields = item.fields
    if fields is None:
        raise DocumentError(f"{where}:{item.line}: services.{name}: expected a mapping")
    there = {key: value for key, value in fields.items() if not key.startswith("x-")}
    given = environment(there.get("environment"), where)
    own, left = left_of({key: each for key, each in there.items() if key not in READ})
    found_ports, left_ports = ports(there.get("ports"), where)
    every = (*left, *left_ports, *_literals(there, given))
    return ComposeService(
        name=name,
        line=item.line,
        image=_text(there.get("image")),
        argv=(*words(there.get("entrypoint"), where), *words(there.get("command"), where)),
        environment={key: _open(key, each) for key, each in given.items()},
        lines={key: each.line for key, each in given.items()},
        ports=found_ports,
        volumes=volumes(there.get("volumes"), where),
        profiles=texts(there.get("profiles")),
        restart=_text(there.get("restart")),
        own=own,
        left=tuple(each.within("services", name) for each in every),
    )


def _open(name: str, item: Item) -> str | None:
    """The value of a variable; None where it is a secret."""
    return None if is_secret(name) or item.has_secret else item.text or ""


def _literals(fields: Mapping[str, Item], given: Mapping[str, Item]) -> Iterator[Left]:
    """Tokens that stand in the file itself; they are not shown."""
    remedy = "Move it to .env beside the file, and make a new token: this one was readable."
    for name, item in given.items():
        literal = is_secret(name) and item.text and not item.has_secret
        if literal or item.literal_secret:
            yield Left(item.line, ("environment", name), "holds a token as text", remedy)
    for key in ("command", "entrypoint"):
        field = fields.get(key)
        for place, item in enumerate(field.items or (field,) if field else ()):
            if item.literal_secret:
                step = (key, place) if field and field.items else (key,)
                yield Left(item.line, step, "holds a token as text", remedy)


def _text(item: Item | None) -> str | None:
    return item.text if item else None


def _of_file(root: Item, services: Mapping[str, Item]) -> Iterator[Left]:
    fields = root.fields or {}
    if fields is not services:
        yield from left_of_file({key: each for key, each in fields.items() if key != "services"})


def _unset(known: Variables) -> Iterator[Left]:
    for name, line in known.unset.items():
        why = "has no value in .env nor in the environment, and was taken as empty"
        yield Left(line, (f"${{{name}}}",), why, f"Set {name}, or give --env FILE.")
