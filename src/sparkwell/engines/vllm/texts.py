"""What vLLM's flags are for, in words: ``flag_texts.yaml``, read once when it is asked for."""

from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from sparkwell.core.documents import parse_document
from sparkwell.engines.vllm.history import default, exists, parse_version
from sparkwell.engines.vllm.rules import OLDEST, rules_for

FILE = "flag_texts.yaml"


class FlagText(BaseModel):
    """The words for one flag; the file says at its top what each field is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: str
    explanation: str = ""
    takes: str = ""
    gains: str = ""
    costs: str = ""
    advice: str = ""


class FlagTexts(BaseModel):
    """The whole file: words by flag, and what to do instead of a flag that is gone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flags: dict[str, FlagText]
    removed: dict[str, str]


@cache
def texts() -> FlagTexts:
    """All texts."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_document(text, FlagTexts, FILE)


def purpose(name: str) -> str:
    """The one line for a flag; empty for a flag without texts."""
    found = texts().flags.get(name)
    return found.purpose if found else ""


def instead(name: str) -> str | None:
    """What to do instead of a flag that newer versions no longer take; None for others."""
    return texts().removed.get(name)


def default_in_words(name: str, version: str) -> str:
    """The default in that version as people read it, also where the engine chooses it itself.

    Empty where it cannot be told.
    """
    chosen = _chosen(name, version)
    if chosen:
        return chosen
    found = default(name, version)
    if found is None:
        return ""
    return value_in_words(found.value)


def value_in_words(value: object) -> str:
    """A default as people read it: on, off, not set, empty, or the value itself."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if value not in ("", [], {}) else "empty"


def _chosen(name: str, version: str) -> str:
    """What the engine chooses at the start where its own default says "not set"."""
    if not exists(name, version) or parse_version(version) < OLDEST:
        return ""
    rules = rules_for(version)
    on = {
        "enable_prefix_caching": rules.prefix_caching_default,
        "enable_chunked_prefill": rules.chunked_prefill_default,
    }
    if name in on:
        return "on, for models of text" if on[name] else "off"
    if name == "block_size":
        return f"{rules.block_tokens}; the attention backend may take more"
    if name in ("max_num_batched_tokens", "max_num_seqs"):
        return _by_machine(version, sequences=name == "max_num_seqs")
    return "the model's own window" if name == "max_model_len" else ""


def _by_machine(version: str, *, sequences: bool) -> str:
    """The API server's default, which goes by the size of the GPU."""
    rules = rules_for(version)
    small = rules.defaults_for(machine_is_gb10=False, total_bytes=0)[sequences]
    large = (rules.default_batched_tokens, rules.default_sequences)[sequences]
    words = f"{large:,} on a GPU of 70 GiB or more, {small:,} on a smaller one"
    very_large = rules.very_large_batched_tokens
    if very_large is not None and not sequences:
        words = f"{very_large:,} from 160 GiB on, {words}"
    return f"{words} and on a DGX Spark" if rules.gb10_counts_as_small else words
