"""A model in Ollama as a LaunchSpec: which model, with which context, under which name.

Ollama's OpenAI endpoints take no num_ctx: a request there loads a model again with the server's
own default (262,144 tokens on 48 GiB or more), whatever it was loaded with before. The way that
its documentation gives is a model with the context among its parameters; it shares the files of
the one that it is made from. So that is what is served, under a name of its own.
"""

import hashlib
import re

from sparkwell.catalog.ollama import HOST, NAMESPACE, OllamaName, parse_ollama
from sparkwell.core.launch import Endpoint, LaunchSpec

PORT = 11434
LONGEST_CONTEXT = 32_768
"""What a model gets unless somebody asks for more; as `plan` counts it."""
SOURCE, NUM_CTX = "ollama.from", "ollama.num_ctx"
_OWN_NAMESPACE = "sparkwell"
_LONGEST_PART = 80
_HASH = 8


def ollama_spec(
    name: OllamaName,
    instance: str,
    endpoint: Endpoint,
    *,
    num_ctx: int,
    stop_grace_s: float = 30.0,
) -> LaunchSpec:
    """One model to load into the server at ``endpoint``; ``num_ctx`` in tokens.

    There is no command line: the driver asks the server's API. ``engine_version`` is the server's
    to say, so it is empty until the model is started.
    """
    return LaunchSpec(
        instance=instance,
        model=str(name),
        engine="ollama",
        engine_version="",
        argv=(),
        endpoint=endpoint,
        labels={SOURCE: name.short, NUM_CTX: str(num_ctx)},
        stop_grace_s=stop_grace_s,
        served_model=served_name(name, num_ctx),
    )


def choose_context(longest: int | None, wanted: int | None = None) -> int:
    """Tokens of context: what is wanted, or 32,768; never more than the model's ``longest``."""
    context = wanted or LONGEST_CONTEXT
    return min(context, longest) if longest else context


def source_of(spec: LaunchSpec) -> OllamaName:
    """The model that a spec of ``ollama_spec`` is made from."""
    return parse_ollama(spec.labels.get(SOURCE, spec.model))


def context_of(spec: LaunchSpec) -> int:
    """The context that a spec of ``ollama_spec`` asks for, in tokens."""
    return int(spec.labels.get(NUM_CTX, LONGEST_CONTEXT))


def served_name(name: OllamaName, num_ctx: int) -> str:
    """The model with that context, as the engine's API knows it: ``sparkwell/qwen3:8b-ctx32768``.

    Different models never get the same name, also when theirs are too long for one.
    """
    parts = [name.namespace, name.model] if name.namespace.lower() != NAMESPACE else [name.model]
    parts = [name.host, *parts] if name.host.lower() != HOST else parts
    ending = f"-ctx{num_ctx}"
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", "-".join(parts))
    if len(parts) == 1 and len(plain) <= _LONGEST_PART and len(name.tag + ending) <= _LONGEST_PART:
        return f"{_OWN_NAMESPACE}/{plain}:{name.tag}{ending}"
    digest = hashlib.sha256(name.key.encode()).hexdigest()[:_HASH]
    model = f"{plain[: _LONGEST_PART - _HASH - 1]}-{digest}"
    tag = name.tag[: _LONGEST_PART - len(ending)]
    return f"{_OWN_NAMESPACE}/{model}:{tag}{ending}"


def instance_word(name: OllamaName) -> str:
    """The name in letters that an instance id may have: ``ollama-qwen3-8b``."""
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")[:64]
