"""Trials and figures, made."""

from typing import Any

from tests.unit.bench.samples import sample

from sparkwell.bench.figures import Figures, Slo, figures
from sparkwell.tune.knobs import Knob
from sparkwell.tune.trial import Trial

SEQS = Knob("max_num_seqs", (8, 16, 32, 64), ordered=True)
CACHE = Knob("kv_cache_dtype", ("bfloat16", "fp8"))
BACKEND = Knob("attention_backend", (None, "FLASHINFER"))
SPACE = (SEQS, CACHE, BACKEND)


def trial(number: int = 1, value: float | None = 1.0, **changes: Any) -> Trial:
    """A trial that was measured; values by name, other fields too."""
    names = {each.name for each in SPACE}
    values = {"max_num_seqs": 16, "kv_cache_dtype": "bfloat16", "attention_backend": None}
    values |= {name: each for name, each in changes.items() if name in names}
    fields = {name: each for name, each in changes.items() if name not in names}
    given = {"end": "measured", "kept": True, **fields}
    return Trial(number=number, values=values, at=0.0, value=value, **given)


def came(mean: float, half: float | None, figure: str = "output_tokens_per_s") -> dict[str, Any]:
    """The figures of a trial: a mean with half of its interval; None with one repeat."""
    low, high = (None, None) if half is None else (mean - half, mean + half)
    told = {"mean": mean, "low": low, "high": high, "repeats": 1 if half is None else 2}
    return {"figures": [{"clients": 256, figure: told}]}


def failed(number: int = 1, **values: Any) -> Trial:
    """One whose engine did not start."""
    return trial(number, None, end="failed", kept=False, **values)


def measured(
    ttft_s: float = 0.1, count: int = 10, seconds: float = 10.0, slo: Slo | None = None,
    slow: int = 0,
) -> Figures:  # fmt: skip
    """Figures of ``count`` answers of 11 tokens, of which ``slow`` waited for ten seconds."""
    samples = [sample(10.0 if at < slow else ttft_s, 0.1, 11) for at in range(count)]
    return figures(samples, began_s=0.0, ended_s=seconds, slo=slo)
