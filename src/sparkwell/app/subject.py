"""The model that is measured: which one, how it is reached, what is known of it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from sparkwell.app.compiling import CompileCache, cache_of
from sparkwell.app.listener.trust import trust_by
from sparkwell.app.ollama.flags import NUM_CTX
from sparkwell.app.planning.planning import Wish
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import GatewaySettings
from sparkwell.bench.connection import Target
from sparkwell.bench.workload import Vocabulary
from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.errors import NotReadyError, SparkwellError, UsageError
from sparkwell.engines.ollama.launch import LONGEST_CONTEXT, served_name
from sparkwell.hardware.machine import Machine
from sparkwell.planner.plan import Plan

Json = Mapping[str, Any]
SMALLEST_VOCABULARY = 30_000
"""Of a model that is not known here: nearly all have more."""
ROOM_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Subject:
    """The model that is measured, and how it is reached.

    ``plan`` is that of the start that runs; None for what is not known here. ``most_tokens`` is
    how long a sequence may be, ``most_clients`` how many the gateway lets in. ``text`` says that
    prompts are to be text, ``served`` what the model is called there, where that is another name.
    ``compiles_in`` is where the engine keeps what it compiles; None where that is not of here.
    """

    target: Target
    url: str
    model: str
    vocabulary: Vocabulary
    most_tokens: int | None = None
    plan: Plan | None = None
    engine: str | None = None
    engine_version: str | None = None
    flags: Json | None = None
    most_clients: int | None = None
    machine: Machine | None = None
    text: bool = False
    served: str | None = None
    compiles_in: CompileCache | None = None


def running(status: Json, model: str | None) -> Json:
    """The instance of that model, or the only one that is ready; else NotReadyError."""
    ready = [each for each in status["instances"] if each["state"] == "ready"]
    names = ", ".join(sorted(each["model"] for each in ready)) or "none"
    if model is None and len(ready) != 1:
        raise NotReadyError(
            f"Which model? Loaded: {names}.", hint="Name it: `sparkwell bench MODEL`."
        )
    found = [each for each in ready if model is None or each["model"].lower() == model.lower()]
    if not found:
        raise NotReadyError(
            f"{model} is not loaded (loaded: {names}), so there is nothing to measure.",
            hint=f"Start it: `sparkwell up {model}`.",
        )
    return dict(found[0])


def own_subject(
    models: ModelService, gateway: GatewaySettings, status: Json, instance: Json, *, direct: bool
) -> Subject:
    """A model of this daemon, asked through its gateway, or at its engine's own address."""
    plan = None if instance["engine"] == "ollama" else _plan(models, instance)
    shape = None if plan is None else plan.question.described.shape
    url = str(instance["endpoint"] if direct else status["gateway"])
    subject = Subject(
        target=_engine(url) if direct else _gateway(url, status),
        url=url,
        model=str(instance["model"]),
        vocabulary=Vocabulary(SMALLEST_VOCABULARY if shape is None else shape.vocab_size),
        most_tokens=None if plan is None else plan.settings.max_model_len,
        plan=plan,
        engine=instance["engine"],
        engine_version=instance["engine_version"],
        flags=instance.get("flags"),
        most_clients=None if direct else gateway.max_connections,
        machine=models.planning.here,
        compiles_in=cache_of(instance, models.paths.cache),
    )
    return _in_ollama(subject, direct=direct) if subject.engine == "ollama" else subject


def _in_ollama(subject: Subject, *, direct: bool) -> Subject:
    """Its server takes no token ids, and knows the model with that context by a name of our own."""
    context = int((subject.flags or {}).get(NUM_CTX, LONGEST_CONTEXT))
    served = served_name(parse_ollama(subject.model), context) if direct else None
    return by_text(replace(subject, most_tokens=context, served=served))


def by_text(subject: Subject) -> Subject:
    """The same, asked with prompts of text: as chats, and with some room, as lengths are near."""
    if subject.text:
        return subject
    path = subject.target.path.removesuffix("completions") + "chat/completions"
    most = subject.most_tokens
    room = None if most is None else max(most // 2, most - max(ROOM_TOKENS, most // 100))
    target = replace(subject.target, path=path)
    return replace(subject, target=target, text=True, most_tokens=room)


def target_of(url: str, trust: ssl.SSLContext | None = None) -> Target:
    """Where a URL such as http://box:8000 leads; UsageError for what is none."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise UsageError(f"{url!r} is no URL.", hint="One looks like http://box:8000.")
    secure = parts.scheme == "https"
    path = parts.path.rstrip("/").removesuffix("/v1") + "/v1/completions"
    return Target(
        parts.hostname, port or (443 if secure else 80), path,
        trust=(trust or ssl.create_default_context()) if secure else None,
    )  # fmt: skip


def _gateway(url: str, status: Json) -> Target:
    trust = trust_by(status.get("certificate"))
    return target_of(url, trust if isinstance(trust, ssl.SSLContext) else None)


def _engine(endpoint: str) -> Target:
    kind, _, where = endpoint.partition(":")
    if kind == "unix":
        return Target("engine", 80, uds=where)
    return Target(kind, int(where))


def _plan(models: ModelService, instance: Json) -> Plan | None:
    """Of the very flags that it was started with; None for what cannot be planned here."""
    wish = Wish(version=instance["engine_version"], flags=instance.get("flags"))
    try:
        return models.planning.plan(str(instance["model"]), wish)
    except SparkwellError:
        return None


def elsewhere(url: str, model: str, key: str | None) -> Subject:
    """A model of another endpoint: nothing more is known of it."""
    target = replace(target_of(url), key=key)
    return Subject(target, url, model, Vocabulary(SMALLEST_VOCABULARY))
