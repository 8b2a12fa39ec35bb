"""Ollama's server, asked: its API, and the driver for which an instance is a loaded model."""

from sparkwell.drivers.ollama.api import OllamaApi
from sparkwell.drivers.ollama.driver import OllamaDriver
from sparkwell.drivers.ollama.plan import Kept, OllamaPlan, plan_from_file, plan_model

__all__ = ["Kept", "OllamaApi", "OllamaDriver", "OllamaPlan", "plan_from_file", "plan_model"]
