"""A stand-in for Ollama's server: ``python -m sparkwell.testing.fake_ollama --port 11434``.

It follows the published API (docs/openapi.yaml and docs/api.md of ollama/ollama) and, where that
is silent, the published sources (server/routes.go, server/sched.go): one runner for each file
whatever name asked for it, loaded again when another context is asked for, unloaded by a timer
that starts when it falls idle, pushed out when another needs its room. No real Ollama was at hand
to compare it with.

    --models qwen3:8b=5GB@40960     a model on its disk: size, and longest context
    --library llama3.2=2GB@131072   one that can be pulled
    --memory 100GiB --pull-s 2 --load-s 1 --token-s 0.01
    --fail-pull cut|disk|network    what becomes of pulls; cut: the first one ends half-way
    --fail-load memory|runner       what becomes of loads

OLLAMA_HOST, OLLAMA_CONTEXT_LENGTH, OLLAMA_KEEP_ALIVE, OLLAMA_NUM_PARALLEL and
OLLAMA_MAX_LOADED_MODELS count as they do there. ``/fake/state`` says what was asked of it.

Rooms: ``arguments`` what was asked for, ``library`` its models, ``durations`` keep_alive,
``scheduler`` its memory, ``pulls`` its downloads, ``bodies`` what it reads and refuses, ``native``
the routes of /api, ``openai`` those of /v1.
"""

import sys


def command() -> tuple[str, ...]:
    """Begin an argv that runs the fake server with this interpreter."""
    return (sys.executable, "-m", __name__)
