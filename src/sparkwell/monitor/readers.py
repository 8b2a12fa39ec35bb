"""How each engine's figures are asked for and read: one entry an engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkwell.core.launch import LaunchSpec
from sparkwell.engines.ollama.samples import read_sample as read_ollama
from sparkwell.engines.samples import EngineSample
from sparkwell.engines.talk import TALKS
from sparkwell.engines.vllm.samples import read_sample as read_vllm


@dataclass(frozen=True, slots=True)
class EngineReader:
    """``path`` is asked; ``read`` makes a sample of any text, and never raises."""

    path: str
    read: Callable[[str, LaunchSpec], EngineSample]


READERS: Mapping[str, EngineReader] = {
    "vllm": EngineReader(TALKS["vllm"].figures_path, lambda text, _spec: read_vllm(text)),
    "ollama": EngineReader(TALKS["ollama"].figures_path, read_ollama),
}
