"""vLLM's command line, read leniently: what the fake needs, and everything else as given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Flags = Mapping[str, Sequence[str]]  # by name without dashes; "" holds what came before any flag

_COMMAND_WORDS = ("serve",)  # `vllm serve MODEL` as well as `--model MODEL`


@dataclass(frozen=True, slots=True)
class EngineArguments:
    """What an engine was told. ``given`` are vLLM's own flags as they came, for the log."""

    model: str
    served_names: tuple[str, ...]
    uds: str | None
    host: str
    port: int
    max_model_len: int
    max_num_seqs: int
    enforce_eager: bool
    sleep_mode: bool
    calls_tools: bool
    runner: str
    given: Mapping[str, str]

    @property
    def address(self) -> str:
        """Where it listens, as vLLM's log says it."""
        return f"unix:{self.uds}" if self.uds else f"http://{self.host}:{self.port}"


def split_flags(argv: Sequence[str]) -> dict[str, list[str]]:
    """Sort words under their flags; one that comes twice gathers the values of both."""
    flags: dict[str, list[str]] = {"": []}
    name = ""
    for word in argv:
        if not _is_flag(word):
            flags[name].append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = name.replace("_", "-")
        flags.setdefault(name, []).extend([value] if equals else [])
    return flags


def _is_flag(word: str) -> bool:
    """``--seed -1``: a number is a value, also when it begins with a dash."""
    return word.startswith("-") and word.lstrip("-")[:1].isalpha()


def engine_arguments(flags: Flags) -> EngineArguments:
    """Read vLLM's flags; the defaults are vLLM's, or small where those need a model."""
    model = _model(flags)
    return EngineArguments(
        model=model,
        served_names=tuple(flags.get("served-model-name", ())) or (model,),
        uds=_last(flags, "uds"),
        host=_last(flags, "host") or "0.0.0.0",  # noqa: S104 -- vLLM's default; tests pass --host
        port=int(_last(flags, "port") or 8000),
        max_model_len=int(_last(flags, "max-model-len") or 32768),
        max_num_seqs=int(_last(flags, "max-num-seqs") or 256),
        enforce_eager="enforce-eager" in flags,
        sleep_mode="enable-sleep-mode" in flags,
        calls_tools="enable-auto-tool-choice" in flags,
        runner=_last(flags, "runner") or "auto",
        given=_given(flags),
    )


def _model(flags: Flags) -> str:
    words = [word for word in flags.get("", ()) if word not in _COMMAND_WORDS]
    return _last(flags, "model") or (words[-1] if words else "fake-model")


def _last(flags: Flags, name: str) -> str | None:
    values = flags.get(name)
    return values[-1] if values else None


def _given(flags: Flags) -> dict[str, str]:
    own = {name: values for name, values in flags.items() if name and not is_scripted(name)}
    return {name.replace("-", "_"): " ".join(values) or "True" for name, values in own.items()}


def is_scripted(name: str) -> bool:
    """Whether a flag is part of the fake's script and not one of vLLM's."""
    return name.startswith("fake-")
