"""Ollama: how a model is named, loaded and read there. Pure; its API is asked by the driver."""

from sparkwell.engines.ollama.launch import (
    LONGEST_CONTEXT,
    PORT,
    choose_context,
    instance_word,
    ollama_spec,
    served_name,
)
from sparkwell.engines.ollama.log import read_error, read_line
from sparkwell.engines.ollama.names import split_size
from sparkwell.engines.ollama.server import CONTAINER, server_environment
from sparkwell.engines.ollama.state import is_ready, read_figures

__all__ = [
    "CONTAINER",
    "LONGEST_CONTEXT",
    "PORT",
    "choose_context",
    "instance_word",
    "is_ready",
    "ollama_spec",
    "read_error",
    "read_figures",
    "read_line",
    "served_name",
    "server_environment",
    "split_size",
]
