"""Lines of an engine's page of metrics, taken only where a Prometheus will take them.

One bad line would make it refuse the whole page: a label twice, an escape that it does not know,
1e999.
"""

import re

KEPT = "vllm:"
MODEL_LABEL = "model"

Sample = tuple[str, str | None, str]
"""Name, labels without their braces, value: as they stood there."""

# Possessive: no line, however odd, is looked at twice.
_TEXT = r'"[^"\\\x00-\x1f\x7f]*+(?:\\[\\"n][^"\\\x00-\x1f\x7f]*+)*+"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][\w:]*+)(?:\{{((?:[a-zA-Z_]\w*+={_TEXT},?+)*+)\}})?+"
    r"[ \t]++([+-]?(?:\d{1,40}+(?:\.\d{0,40}+)?+(?:[eE][+-]?\d{1,3})?|Inf|NaN))"
    r"(?:[ \t]++-?\d{1,18}+)?+[ \t\r]*+",
    re.ASCII,
)
_TYPE = re.compile(r"# TYPE (vllm:[\w:]+) (counter|gauge|histogram|summary|untyped)\r?", re.ASCII)
_HELP = re.compile(r"# HELP (vllm:[a-zA-Z0-9_:]+) ([^\x00-\x1f\x7f<>\\]{1,1000})\r?")
_LABEL = re.compile(rf"(?:^|,)(\w++)=({_TEXT})", re.ASCII)
_EXPORTED = f"exported_{MODEL_LABEL}"


def whole_lines(text: str) -> list[str]:
    """The lines that are whole: the end of a page that was cut off might be half a number."""
    return text.split("\n")[:-1]


def read_sample(line: str) -> Sample | None:
    """A sample of vLLM's without its timestamp; None for anything else."""
    if not line.startswith(KEPT):
        return None
    match = _SAMPLE.fullmatch(line)
    if match is None or not _is_double(match[3]):
        return None
    return match[1], match[2], match[3]


def read_type(line: str) -> tuple[str, str] | None:
    """A metric's name and type."""
    match = _TYPE.fullmatch(line)
    return (match[1], match[2]) if match else None


def read_help(line: str) -> tuple[str, str] | None:
    """A metric's name and what it is; nothing that could be taken for markup."""
    match = _HELP.fullmatch(line)
    return (match[1], match[2]) if match else None


def with_model(labels: str | None, model: str) -> str | None:
    """A sample's labels in braces, the model's first; None where a name is there twice.

    A label of the engine's own that has that name is told as ``exported_model``, as Prometheus
    does with labels that it has to set itself.
    """
    ours = f'{MODEL_LABEL}="{escaped(model)}"'
    if not labels:
        return f"{{{ours}}}"
    labels = labels.rstrip(",")
    pairs = _LABEL.findall(labels)
    names = [name for name, _ in pairs]
    if MODEL_LABEL in names:
        names = [_EXPORTED if name == MODEL_LABEL else name for name in names]
        texts = (text for _, text in pairs)
        labels = ",".join(f"{name}={text}" for name, text in zip(names, texts, strict=True))
    if len(names) != len(set(names)) or "__" in {name[:2] for name in names}:
        return None
    return f"{{{ours},{labels}}}"


def escaped(value: str) -> str:
    """A label's value as the text format wants it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _is_double(value: str) -> bool:
    return value.endswith("Inf") or abs(float(value)) != float("inf")
