"""Launch specs and exit records as JSON, and back. Pure.

Reading is strict where an instance would be mistaken for another, lenient where an older shim
may have written less.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sparkwell.core.launch import Container, Endpoint, ExitRecord, LaunchSpec, Mount, Running


def spec_to_json(spec: LaunchSpec) -> dict[str, object]:
    """Write a spec so that ``spec_from_json`` gives an equal one."""
    return {
        "instance": spec.instance,
        "model": spec.model,
        "engine": spec.engine,
        "engine_version": spec.engine_version,
        "argv": list(spec.argv),
        "endpoint": dataclasses.asdict(spec.endpoint),
        "env": dict(spec.env),
        "labels": dict(spec.labels),
        "stop_grace_s": spec.stop_grace_s,
        "served_model": spec.served_model,
        "container": dataclasses.asdict(spec.container) if spec.container else None,
    }


def spec_from_json(value: Mapping[str, Any]) -> LaunchSpec:
    """Read a spec; raises KeyError, TypeError or ValueError when it is none."""
    return LaunchSpec(
        instance=value["instance"],
        model=value["model"],
        engine=value["engine"],
        engine_version=value["engine_version"],
        argv=tuple(value["argv"]),
        endpoint=Endpoint(**value["endpoint"]),
        env=dict(value["env"]),
        labels=dict(value["labels"]),
        stop_grace_s=float(value["stop_grace_s"]),
        served_model=value.get("served_model"),
        container=_container(value.get("container")),
    )


def _container(value: Mapping[str, Any] | None) -> Container | None:
    if value is None:
        return None
    entrypoint = value["entrypoint"]
    lists = {
        "entrypoint": None if entrypoint is None else tuple(entrypoint),
        "mounts": tuple(Mount(**mount) for mount in value["mounts"]),
        "tmpfs": tuple(value["tmpfs"]),
    }
    return Container(**{**value, **lists})


def running_from_json(spec: LaunchSpec, value: Mapping[str, Any]) -> Running:
    """Read the engine's part of shim.json; raises KeyError, TypeError or ValueError."""
    return Running(
        spec=spec,
        pid=int(value["pid"]),
        start_ticks=int(value["start_ticks"]),
        started_at=float(value["started_at"]),
    )


def exit_from_json(value: Mapping[str, Any]) -> ExitRecord:
    """Read an exit record; what is missing was not seen."""
    return ExitRecord(
        code=value.get("code"),
        signal=value.get("signal"),
        requested=bool(value.get("requested")),
        ended_at=float(value.get("ended_at") or 0.0),
        last_lines=tuple(value.get("last_lines") or ()),
    )


def exit_to_json(record: ExitRecord) -> dict[str, object]:
    """Write an exit record so that ``exit_from_json`` gives an equal one."""
    return dataclasses.asdict(record)


def unseen_end(*, requested: bool, ended_at: float, last_lines: list[str]) -> dict[str, object]:
    """Write the exit record of an instance whose shim was killed: code and signal unknown."""
    return {
        "code": None,
        "signal": None,
        "requested": requested,
        "ended_at": ended_at,
        "last_lines": last_lines,
    }
