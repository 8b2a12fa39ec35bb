"""Ollama's server, asked: its API, and the driver for which an instance is a loaded model."""

from sparkwell.drivers.ollama.api import OllamaApi
from sparkwell.drivers.ollama.driver import OllamaDriver
from sparkwell.drivers.ollama.plan import Kept, OllamaPlan, held_bytes, plan_model

__all__ = ["Kept", "OllamaApi", "OllamaDriver", "OllamaPlan", "held_bytes", "plan_model"]
