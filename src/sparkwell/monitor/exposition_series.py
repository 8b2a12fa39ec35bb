"""The names under which Sparkwell tells Prometheus its figures: the same for every engine version.

A name, once told, keeps its meaning. docs/prometheus.md has this table, and a test compares them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter"]
PREFIX = "sparkwell_"


@dataclass(frozen=True, slots=True)
class Series:
    """One series. ``name`` is without the prefix; a counter's ends in ``_total`` when told."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = "gauge"

    @property
    def told_as(self) -> str:
        """The name on the page: ``sparkwell_switches_total``."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


def _of_models(**helps: str) -> tuple[Series, ...]:
    return tuple(Series(name, text, ("model",)) for name, text in helps.items())


READINGS: tuple[Series, ...] = _of_models(
    output_tokens_per_s="Tokens generated each second, all requests together.",
    prompt_tokens_per_s="Prompt tokens read each second.",
    requests_per_s="Requests that ended well each second.",
    running="Requests that the engine works on.",
    waiting="Requests that wait in the engine.",
    kv_used="Share of the KV cache in use, 0 to 1, whatever the engine's version calls it.",
    prefix_hit="Share of the prompt tokens that the prefix cache had, 0 to 1, lately.",
    preemptions_per_s="Requests set back each second for want of KV cache.",
    ttft_p50_s="Seconds to the first token, median.",
    ttft_p95_s="Seconds to the first token, 95th percentile.",
    itl_p50_s="Seconds between tokens, median.",
    itl_p95_s="Seconds between tokens, 95th percentile.",
    tpot_p50_s="Seconds for each output token of a request, median.",
    tokens_per_joule="Tokens generated for each joule that the GPU took.",
    plan_share="Output tokens/s as a share of what the plan says for so many requests.",
    roofline_share="Output tokens/s as a share of what the memory's bandwidth allows.",
)
"""Readings of one engine, by the monitor's names."""

MACHINE: tuple[Series, ...] = (
    Series("available_bytes", "Memory that can be had without swapping (MemAvailable)."),
    Series("swap_used_bytes", "Swap in use."),
    Series("memory_stalled", "Share of the time in which all tasks waited for memory (PSI)."),
    Series("cpu_used", "Share of all processor cores in use, 0 to 1."),
    Series("gpu_used", "Share of the time in which the GPU worked, 0 to 1."),
    Series("power_w", "Watts that the GPU takes."),
    Series("temperature_c", "The GPU's temperature in degrees Celsius."),
    Series("gpu_used_bytes", "GPU memory in use; not reported on unified memory."),
)
"""Readings of the machine, by the monitor's names."""

GATEWAY: tuple[Series, ...] = (
    Series("gateway_requests_per_s", "Requests that the gateway took each second."),
    Series("gateway_waiting", "Requests that wait at the gateway, for all models."),
)
"""Readings of the gateway, by the monitor's names."""

BUILD = Series("build", "Sparkwell itself; always 1.", ("version",))
ENGINE = Series("engine", "The engine of a model; always 1.", ("model", "engine", "version", "run"))
STATE = Series("model_state", "1 for the state that the model is in.", ("model", "state"))
READY = Series("model_ready", "Whether the model can answer at once.", ("model",))
WANTED = Series("model_wanted", "Whether the model is to be kept loaded.", ("model",))
SCRAPE_OK = Series(
    "engine_scrape_ok", "Whether the engine's metrics could be had just now.", ("model",)
)
QUEUE = Series("queue_requests", "Requests that wait at the gateway for the model.", ("model",))
BREAKER = Series(
    "breaker_open", "Whether the model is not started again, for it failed often.", ("model",)
)
PHASE = Series("load_phase_seconds", "How long a phase of the last start took.", ("model", "phase"))
FINDING = Series("finding", "1 for what is to be told of a model.", ("model", "id", "severity"))
SWITCHES = Series("switches", "Models that made room for another.", kind="counter")
TRIPS = Series("guard_trips", "Engines that the memory guard ended.", kind="counter")
FLOOR = Series("memory_floor_bytes", "What the memory guard keeps available.")

KEY_REQUESTS = Series(
    "key_requests",
    "Requests of a key that were let in and have ended, by HTTP status; 0: without an answer.",
    ("key", "model", "code"),
    "counter",
)
KEY_PROMPT = Series(
    "key_prompt_tokens",
    "Prompt tokens of a key's requests, as the engine counts them.",
    ("key", "model"),
    "counter",
)
KEY_OUTPUT = Series(
    "key_output_tokens",
    "Tokens generated for a key's requests, as the engine counts them.",
    ("key", "model"),
    "counter",
)
KEY_REFUSED = Series(
    "key_refused",
    "Requests that a key's limit did not let in: requests, tokens, concurrency or model.",
    ("key", "limit"),
    "counter",
)
KEYS = (KEY_REQUESTS, KEY_PROMPT, KEY_OUTPUT, KEY_REFUSED)
"""What keys used, by their names."""

PLANNED: tuple[Series, ...] = _of_models(
    planned_single_tokens_per_s="Tokens/s of one request alone, by the plan.",
    planned_roofline_tokens_per_s="Tokens/s of one request that the bandwidth allows.",
    planned_weights_bytes="Bytes of the weights, by the plan.",
    planned_kv_cache_bytes="Bytes of the KV cache, by the plan.",
    planned_kv_cache_tokens="Tokens for which the KV cache has room, by the plan.",
    planned_held_bytes="Bytes that the engine holds at its peak, by the plan.",
)
"""Figures of the plan that a model was started by."""

INFOS = (BUILD, ENGINE)
"""Told with ``_info`` behind their names: their labels are what they say."""

OWN = (STATE, READY, WANTED, SCRAPE_OK, QUEUE, BREAKER, PHASE, FINDING, SWITCHES, TRIPS, FLOOR)


def every_series() -> Iterator[Series]:
    """All series in the order in which docs/prometheus.md lists them."""
    for group in (READINGS, MACHINE, GATEWAY, INFOS, OWN, KEYS, PLANNED):
        yield from group


def told_names() -> dict[str, Series]:
    """Every series by its name on the page."""
    return {each.told_as + ("_info" if each in INFOS else ""): each for each in every_series()}
