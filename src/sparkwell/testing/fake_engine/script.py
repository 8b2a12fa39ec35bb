"""What the fake engine shall do: how long to load, how fast to answer, how to fail."""

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from sparkwell.core.phases import Phase
from sparkwell.testing.fake_engine.arguments import Flags, is_scripted
from sparkwell.testing.fake_engine.wording import STYLES

LOADING = (
    Phase.LAUNCH,
    Phase.INIT,
    Phase.WEIGHTS,
    Phase.COMPILE,
    Phase.PROFILE,
    Phase.GRAPHS,
    Phase.WARMUP,
)


class ScriptError(ValueError):
    """The script asks for something that the fake does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Every field is a JSON key, and a flag: ``fail_at_phase`` is ``--fake-fail-at-phase``."""

    # How it starts
    style: str = "0.25"  # whose wording the log has: "0.10", "0.25" or "0.32-cpu"
    phases: Mapping[str, float] = field(default_factory=dict)  # seconds; 0 for those not named
    shards: int = 4  # checkpoint shards in the progress lines
    weights_gib: float = 8.83
    kv_cache_tokens: int = 441_664

    # How it answers
    tokens_per_s: float | None = None  # for each request; None: at once
    ttft_s: float = 0.0
    reply_tokens: int | None = None  # pads the echo to this length; None: the echo alone

    # How it fails
    exit_code_at_once: int | None = None  # before a word is said
    fail_at_phase: str | None = None  # a traceback, then exit with fail_code
    fail_message: str | None = None  # a name from failures.KNOWN, or the last line itself
    fail_code: int = 1
    never_ready: bool = False  # loads, then never listens
    health_ok_but_no_tokens: bool = False  # requests are taken and never answered
    die_after_s: float | None = None  # counted from being ready
    die_after_requests: int | None = None  # in the middle of the next one
    die_code: int = 1  # a negative number is a signal: -9 looks like the kernel's OOM killer

    # How it stops
    ignore_sigterm: bool = False  # nor does EngineCore heed it
    slow_stop_s: float = 0.0
    child_survives: bool = False  # EngineCore is left behind by a stop, a failure, a death
    child_life_s: float = 86_400.0  # an orphan ends by itself: a bound for tests that go wrong

    def duration(self, phase: Phase) -> float:
        """How long a phase takes, in seconds."""
        return self.phases.get(phase.value, 0.0)


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
    named = {*script.phases, *([script.fail_at_phase] if script.fail_at_phase else [])}
    if named - known:
        raise ScriptError(f"no such phase: {', '.join(sorted(named - known))}; {sorted(known)}")
    return script
