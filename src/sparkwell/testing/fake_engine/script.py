"""What the fake engine shall do: how long to load, how fast to answer, how to fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.core.phases import Phase

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
    bind_late: bool = False  # after loading, so that somebody else can take the address

    # What memory EngineCore holds: really, every page of it
    hold_mib: int = 0  # from the weights on
    spike_mib: int = 0  # more of it while memory is profiled
    leak_mib_per_s: float = 0.0  # more of it from ready on
    leak_most_mib: int = 1024  # the leak ends there
    asleep_mib: int = 0  # in the place of hold_mib while it sleeps

    # How it answers
    tokens_per_s: float | None = None  # for each request; None: at once
    ttft_s: float = 0.0
    reply_tokens: int | None = None  # pads the echo to this length; None: the echo alone

    # How it sleeps
    sleep_s: float = 0.0
    wake_s: float = 0.0  # for each of the calls that wake it
    reload_s: float = 0.0
    wake_fails: bool = False  # EngineCore dies of it

    # How it fails
    exit_code_at_once: int | None = None  # before a word is said
    fail_at_phase: str | None = None  # a traceback, then exit with fail_code
    fail_message: str | None = None  # a name from failures.KNOWN, or the last line itself
    fail_log: str | None = None  # a file: its lines are said instead of any traceback
    fail_code: int = 1
    die_at_phase: str | None = None  # ends there as die_code says
    never_ready: bool = False  # loads, then never listens
    health_ok_but_no_tokens: bool = False  # requests are taken and never answered
    hang_after_s: float | None = None  # the same from some time after being ready on
    hang_after_requests: int | None = None  # … after the first token of the next one
    health_hangs_after_s: float | None = None  # /health is asked and never answers
    die_after_s: float | None = None  # counted from being ready
    die_after_requests: int | None = None  # in the middle of the next one
    die_on_sigterm: bool = False  # in the place of a clean end
    die_code: int = 1  # a negative number is a signal: -9 looks like the kernel's OOM killer
    fail_first: int | None = None  # only so many starts fail; at init if nothing else is said
    counter: str | None = None  # a file that gets one byte for each start

    # How it stops
    ignore_sigterm: bool = False  # nor does EngineCore heed it
    slow_stop_s: float = 0.0
    child_survives: bool = False  # EngineCore is left behind by a stop, a failure, a death
    child_life_s: float = 86_400.0  # an orphan ends by itself: a bound for tests that go wrong

    def duration(self, phase: Phase) -> float:
        """How long a phase takes, in seconds."""
        return self.phases.get(phase.value, 0.0)

    @property
    def holds_memory(self) -> bool:
        """Whether EngineCore is more than a process that is there."""
        return bool(self.hold_mib or self.spike_mib or self.leak_mib_per_s)
