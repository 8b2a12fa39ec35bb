"""From a launch spec to the Compose file of one container. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Container, LaunchSpec
from sparkwell.drivers.compose.seen import HOME, INSTANCE, MODEL
from sparkwell.engines.compose import Document, service_of, to_yaml

# Rotation loses lines for whoever follows (dockerd 20.10), so the first file is a large one:
# 128 MiB are a million lines. `local` keeps bytes as they are and needs half of json-file's time.
LOGGING: dict[str, object] = {
    "driver": "local",
    "options": {"max-size": "128m", "max-file": "2", "compress": "false"},
}
NOTHING_CHOSEN: Mapping[str, str] = MappingProxyType({})
# Docker hands on whole lines, and tqdm's bars move by carriage returns: without this the capture
# of CUDA graphs, minutes long, would be heard of when it is over. tqdm reads it since 4.66.
PROGRESS = {"TQDM_BAR_FORMAT": "{l_bar}{bar}{r_bar}\n"}


def container_of(spec: LaunchSpec) -> Container:
    """The spec's container; raises UsageError for the spec of a process."""
    if spec.container is None or spec.endpoint.port is None:
        raise UsageError(f"{spec.instance} is not to run in a container.")
    return spec.container


def labels_of(spec: LaunchSpec, home: Path) -> dict[str, str]:
    """What tells a container of this installation from all others. Never anything secret.

    The rest of the spec is in the instance's folder alone: it may hold variables for the engine,
    and labels are shown to everybody who may ask Docker.
    """
    return {INSTANCE: spec.instance, MODEL: spec.model, HOME: str(home)}


def render(
    spec: LaunchSpec, home: Path, project: str, gpus: Mapping[str, str] = NOTHING_CHOSEN
) -> str:
    """The text of compose.yaml, the whole of what a start would apply.

    ``gpus`` are variables that choose among the GPUs: a container is given all of them.
    """
    container_of(spec)
    service = service_of(spec, labels=labels_of(spec, home), logging=LOGGING)
    service = replace(service, environment=PROGRESS | dict(gpus) | dict(spec.env))
    return to_yaml(
        Document((service,), project=project),
        f"Written by Sparkwell for {spec.instance}; changes are not read again.",
    )
