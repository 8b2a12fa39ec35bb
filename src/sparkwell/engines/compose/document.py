"""A Compose file: services, their volumes and secrets, as YAML that people like to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from sparkwell.engines.compose.service import Service

PROJECT = "sparkwell"


@dataclass(frozen=True, slots=True)
class Document:
    """A Compose file. ``secrets`` are the variables of the environment that hold them, by name.

    ``volumes`` maps names in the file to names in Docker; a volume of a service that is not
    named here gets the project's name in front, as Compose does it. ``project`` None leaves the
    name to Compose, which takes that of the file's folder.
    """

    services: Sequence[Service]
    secrets: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    project: str | None = PROJECT

    @property
    def mapping(self) -> dict[str, object]:
        """The whole file as a mapping."""
        used = dict.fromkeys(name for service in self.services for name in service.volumes)
        named = {name: self._volume(name) for name in used}
        secrets = {name: {"environment": variable} for name, variable in self.secrets.items()}
        return {
            **({"name": self.project} if self.project else {}),
            "services": {service.name: service.mapping for service in self.services},
            **({"volumes": named} if named else {}),
            **({"secrets": secrets} if secrets else {}),
        }

    def _volume(self, name: str) -> dict[str, str]:
        return {"name": self.volumes[name]} if name in self.volumes else {}


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, as the Compose documentation writes them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def to_yaml(document: Document, comment: str = "") -> str:
    """The file's text; each line of ``comment`` becomes a comment at its head."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    body = yaml.dump(
        document.mapping, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True
    )
    return f"{head}{body}"
