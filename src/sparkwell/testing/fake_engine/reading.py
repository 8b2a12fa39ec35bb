"""Reading the script: the environment's JSON, and ``--fake-…`` flags that win over it."""

import json
import types
import typing
from dataclasses import fields

from sparkwell.testing.fake_engine.arguments import Flags, is_scripted
from sparkwell.testing.fake_engine.script import LOADING, Script, ScriptError
from sparkwell.testing.fake_engine.wording import STYLES


def read_script(flags: Flags, environment: str | None) -> Script:
    """Take the script from the environment's JSON, overridden by ``--fake-…`` flags."""
    given = {**_from_json(environment), **_from_flags(flags)}
    known = {known.name: known.type for known in fields(Script)}
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise ScriptError(f"the fake engine knows no {', '.join(unknown)}; it knows {list(known)}")
    return _checked(Script(**{name: _value(name, known[name], given[name]) for name in given}))


def _from_json(text: str | None) -> dict[str, object]:
    try:
        document = json.loads(text or "{}")
    except ValueError as error:
        raise ScriptError(f"the fake engine's script is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ScriptError("the fake engine's script is not a JSON object")
    return document


def _from_flags(flags: Flags) -> dict[str, object]:
    scripted = {name: values for name, values in flags.items() if is_scripted(name)}
    return {
        name.removeprefix("fake-").replace("-", "_"): _flag_value(name, values)
        for name, values in scripted.items()
    }


def _flag_value(name: str, values: typing.Sequence[str]) -> object:
    if name == "fake-phases":
        return dict(value.partition("=")[::2] for value in values)
    return values[-1] if values else True


def _value(name: str, kind: typing.Any, value: typing.Any) -> typing.Any:
    """Convert what JSON or a flag gave to the type of the field."""
    try:
        if name == "phases":
            return {str(phase): float(seconds) for phase, seconds in value.items()}
        wanted = [one for one in typing.get_args(kind) if one is not types.NoneType] or [kind]
        return None if value is None else _as(wanted[0], value)
    except (TypeError, ValueError, AttributeError) as error:
        raise ScriptError(f"the fake engine cannot use {value!r} as {name}") from error


def _as(kind: typing.Any, value: typing.Any) -> typing.Any:
    if kind is bool and isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), True)
    return kind(value)


def _checked(script: Script) -> Script:
    if script.style not in STYLES:
        raise ScriptError(f"no such style: {script.style}; there are {', '.join(STYLES)}")
    known = {phase.value for phase in LOADING}
    wanted = (*script.phases, script.fail_at_phase, script.die_at_phase)
    unknown = sorted({phase for phase in wanted if phase is not None} - known)
    if unknown:
        raise ScriptError(f"no such phase: {', '.join(unknown)}; {sorted(known)}")
    if script.fail_first and not script.counter:
        raise ScriptError("fail_first counts starts in a file: name it with counter")
    return script
