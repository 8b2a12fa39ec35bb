"""Ollama's /api/ps, read: what a model holds at one moment. It says nothing of requests."""

from sparkwell.core.launch import LaunchSpec
from sparkwell.engines.ollama.answers import read_ps
from sparkwell.engines.ollama.state import find_loaded
from sparkwell.engines.samples import EngineSample


def read_sample(text: str, spec: LaunchSpec) -> EngineSample:
    """What an answer of /api/ps says of the spec's model. Never raises.

    ``held_bytes`` is all that it takes, on the GPU and beside it; None where the model is not in
    memory, or the answer is something else.
    """
    try:
        found = find_loaded(spec, read_ps(text))
    except ValueError:
        return EngineSample()
    held = found.size_bytes if found else None
    return EngineSample(held_bytes=None if held is None else float(held))
