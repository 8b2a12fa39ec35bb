"""vLLM's arguments as values: the model, and flags with the lines they stand in. Pure.

What is read here is what ``vllm serve --help`` says: ``--flag VALUE``, ``--flag=VALUE``, dashes or
underscores, ``--no-flag``, the short options, and numbers such as 32k.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sparkwell.catalog.recipe import FlagValue
from sparkwell.engines.compose.reading_fields import Word
from sparkwell.engines.vllm.flag_table import FLAGS
from sparkwell.engines.vllm.flags import read_flag
from sparkwell.engines.vllm.history import aliased, exists, history

# vllm/engine/arg_utils.py of the recorded versions.
SHORT = {
    "-tp": "tensor_parallel_size",
    "-pp": "pipeline_parallel_size",
    "-dp": "data_parallel_size",
    "-dpn": "data_parallel_rank",
    "-dpr": "data_parallel_start_rank",
    "-dpl": "data_parallel_size_local",
    "-dpa": "data_parallel_address",
    "-dpp": "data_parallel_rpc_port",
    "-dpb": "data_parallel_backend",
    "-dph": "data_parallel_hybrid_lb",
    "-dpe": "data_parallel_external_lb",
    "-dcp": "decode_context_parallel_size",
    "-pcp": "prefill_context_parallel_size",
    "-ep": "enable_expert_parallel",
    "-q": "quantization",
    "-sc": "speculative_config",
    "-cc": "compilation_config",
    "-ac": "attention_config",
    "-asc": "api_server_count",
    "-n": "nnodes",
    "-r": "node_rank",
}
_SEVERAL = frozenset({
    "served_model_name", "lora_modules", "prompt_adapters", "cudagraph_capture_sizes",
    "cuda_graph_sizes", "logits_processors", "middleware", "collect_detailed_traces",
    "disable_access_log_for_endpoints", "long_lora_scaling_factors",
})  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ROUND = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG])")
_TIMES = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
_LEVEL = re.compile(r"-O(?:=?(.+))?")


@dataclass(frozen=True, slots=True)
class Argument:
    """A flag with its value, named with underscores."""

    name: str
    value: FlagValue
    line: int


@dataclass(frozen=True, slots=True)
class Arguments:
    """The model (a repository id or a folder), the flags, and words that mean nothing here."""

    model: str | None
    flags: tuple[Argument, ...]
    left: tuple[tuple[Word, str], ...]


def read_arguments(words: Sequence[Word], version: str | None) -> Arguments:
    """Read vLLM's arguments; a flag that is given twice counts as it was given last."""
    flags: dict[str, Argument] = {}
    bare: list[Word] = []
    left: list[tuple[Word, str]] = []
    place = 0
    while place < len(words):
        word = words[place]
        values = _values(words[place + 1 :])
        place += 1 + len(values)
        if not _is_option(word.text):
            bare += [word, *values]
            continue
        name, given = _named(word.text, version)
        if name is None:
            left.append((word, "is no option that is known"))
            bare += values
        elif "." in name:
            left.append((word, "sets a part of a value; only whole values are taken over"))
        else:
            taken = [] if given is not None else _taken(name, values)
            bare += values[len(taken) :]
            if len(taken) > 1:
                left.append((word, "takes several values; the settings have one for each flag"))
            else:
                text = given if given is not None else (taken[0].text if taken else None)
                argument = _argument(name, text, word.line)
                flags[argument.name] = argument
    model = flags.pop("model", None)
    named = str(model.value) if model else (bare.pop(0).text if bare else None)
    left += [(each, "is neither an option nor a value of one") for each in bare]
    return Arguments(named, tuple(flags.values()), tuple(left))


def _is_option(text: str) -> bool:
    return text.startswith("-") and not _NUMBER.fullmatch(text) and text != "-"


def _values(words: Sequence[Word]) -> list[Word]:
    """The words up to the next option."""
    found: list[Word] = []
    for word in words:
        if _is_option(word.text):
            break
        found.append(word)
    return found


def _named(text: str, version: str | None) -> tuple[str | None, str | None]:
    """The flag's name, and the value behind ``=`` if there is one."""
    level = _LEVEL.fullmatch(text)
    if level and not text.startswith("--"):
        newer = version is None or exists("optimization_level", version)
        return "optimization_level" if newer else "compilation_config", level[1]
    option, given, value = text.partition("=")
    if not option.startswith("--"):
        return SHORT.get(option), value if given else None
    name = option.lstrip("-").replace("-", "_")
    return aliased(name) or name, value if given else None


def _taken(name: str, values: list[Word]) -> list[Word]:
    """How many of the words behind a flag are its values: of a switch only yes or no."""
    if _is_switch(name):
        return [each for each in values[:1] if each.text.lower() in ("true", "false")]
    return values if name in _SEVERAL else values[:1]


def _is_switch(name: str) -> bool:
    bare = name.removeprefix("no_")
    if bare in FLAGS:
        return FLAGS[bare].type is bool
    record = history().flags.get(name) or history().flags.get(bare)
    return record is not None and any(
        isinstance(value, bool) for _, entry in record.defaults for value in entry
    )


def _argument(name: str, text: str | None, line: int) -> Argument:
    bare = name.removeprefix("no_")
    if text is None and bare != name and name not in history().flags and _is_switch(name):
        return Argument(bare, False, line)
    if text is None:
        return Argument(name, True, line)
    return Argument(name, _value(name, text), line)


def _value(name: str, text: str) -> FlagValue:
    """As vLLM reads it: 32k is 32,000 and 32K 32,768, where it takes whole numbers."""
    rounded = _ROUND.fullmatch(text)
    if rounded and name in FLAGS and FLAGS[name].type is int:
        return round(float(rounded[1]) * _TIMES[rounded[2]])
    return read_flag(f"{name}={text}")[1]
