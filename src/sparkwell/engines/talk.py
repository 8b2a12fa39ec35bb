"""How each engine is talked to while it starts: who is asked what, and how the answer is read.

One entry an engine; whoever follows a start needs to know nothing else of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import PhaseMark
from sparkwell.engines import ollama
from sparkwell.engines.vllm.log import StartReader
from sparkwell.engines.vllm.log import read_error as vllm_error
from sparkwell.engines.vllm.metrics import read_metrics

Facts = tuple[tuple[str, float], ...]
"""Figures by name, as in PhaseMark."""


@dataclass(frozen=True, slots=True)
class EngineTalk:
    """An engine's words.

    ``health_path`` is asked until it answers 200 and ``is_ready`` accepts the body; then a token
    is asked for. ``new_reader`` makes a reader of one start's log: given each line, it says how far
    the start is. ``read_error`` finds why one failed. ``read_figures`` finds figures of its memory
    in the answer of ``figures_path``.
    """

    health_path: str
    is_ready: Callable[[str, LaunchSpec], bool]
    new_reader: Callable[[], Callable[[str], PhaseMark | None]]
    read_error: Callable[[str], str | None]
    figures_path: str
    read_figures: Callable[[str, LaunchSpec], Facts]


def canary_model(spec: LaunchSpec) -> str:
    """The model's name in the engine's own API."""
    return spec.served_model or spec.model


TALKS: Mapping[str, EngineTalk] = {
    "vllm": EngineTalk(
        health_path="/health",
        is_ready=lambda _body, _spec: True,
        new_reader=lambda: StartReader().read,
        read_error=vllm_error,
        figures_path="/metrics",
        read_figures=lambda body, _spec: read_metrics(body),
    ),
    "ollama": EngineTalk(
        health_path="/api/ps",
        is_ready=ollama.is_ready,
        new_reader=lambda: ollama.read_line,
        read_error=ollama.read_error,
        figures_path="/api/ps",
        read_figures=ollama.read_figures,
    ),
}
