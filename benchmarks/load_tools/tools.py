"""The load tools of the field, each asked for the same: so many streams, so many requests."""

import csv
import json
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOKENIZER = ROOT / "src" / "sparkwell" / "catalog" / "demo" / "qwen3"
HERE = Path(__file__).parent
PROMPT_TOKENS = 32
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, where, and a folder for what the tool writes."""

    port: int
    streams: int
    requests: int
    tokens: int
    folder: Path

    @property
    def url(self) -> str:
        """Of the upstream."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool reports; milliseconds, tokens a second. None: it does not say."""

    ttft_ms: float | None
    ttft_p99_ms: float | None
    tpot_ms: float | None
    itl_ms: float | None
    itl_p99_ms: float | None
    tokens_per_s: float | None
    good: int


@dataclass(frozen=True, slots=True)
class Tool:
    """``program`` has to be there; ``words`` are its command, ``read`` understands its report."""

    name: str
    program: Path
    words: Callable[[Order], list[str]]
    read: Callable[[Path], Said]


def measured(tool: Tool, order: Order) -> Json:
    """Run it: what it says, and what it took (processor seconds of all its processes)."""
    order.folder.mkdir(parents=True)
    before, began = _spent_s(), time.monotonic()
    with (order.folder / "log").open("w") as log:
        subprocess.run(
            [str(tool.program), *tool.words(order)], stdout=log, stderr=log, check=True,
            cwd=order.folder,
        )  # fmt: skip
    took = {"cpu_s": round(_spent_s() - before, 2), "wall_s": round(time.monotonic() - began, 2)}
    return asdict(tool.read(order.folder)) | took


def _spent_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def ours(python: Path) -> Tool:
    """Sparkwell's own."""

    def words(order: Order) -> list[str]:
        given = (order.port, order.streams, order.requests, order.tokens)
        return [str(HERE / "ours.py"), *map(str, given)]

    def read(folder: Path) -> Said:
        return Said(**json.loads((folder / "log").read_text()))

    return Tool("sparkwell", python, words, read)


def vllm_bench(environment: Path) -> Tool:
    """`vllm bench serve`."""

    def words(order: Order) -> list[str]:
        return [
            str(HERE / "vllm_bench.py"), "--backend", "openai", "--base-url", order.url,
            "--model", "demo", "--tokenizer", str(TOKENIZER), "--dataset-name", "random",
            "--random-input-len", str(PROMPT_TOKENS), "--random-output-len", str(order.tokens),
            "--ignore-eos", "--num-prompts", str(order.requests),
            "--max-concurrency", str(order.streams), "--percentile-metrics", "ttft,tpot,itl,e2el",
            "--metric-percentiles", "50,99", "--save-result", "--result-filename", "report.json",
            "--disable-tqdm",
        ]  # fmt: skip

    def read(folder: Path) -> Said:
        found = json.loads((folder / "report.json").read_text())
        return Said(
            found["mean_ttft_ms"], found["p99_ttft_ms"], found["mean_tpot_ms"],
            found["mean_itl_ms"], found["p99_itl_ms"], found["output_throughput"],
            found["completed"],
        )  # fmt: skip

    return Tool("vllm bench serve", environment / "bin" / "python", words, read)


def aiperf(environment: Path) -> Tool:
    """NVIDIA's AIPerf."""

    def words(order: Order) -> list[str]:
        return [
            "profile", "-m", "demo", "--url", order.url, "--endpoint-type", "chat", "--streaming",
            "--tokenizer", str(TOKENIZER), "--use-server-token-count",
            "--synthetic-input-tokens-mean", str(PROMPT_TOKENS),
            "--output-tokens-mean", str(order.tokens), "--concurrency", str(order.streams),
            "--request-count", str(order.requests), "--extra-inputs", "ignore_eos:true",
            "--artifact-dir", str(order.folder), "--ui", "none",
        ]  # fmt: skip

    def read(folder: Path) -> Said:
        found = json.loads((folder / "profile_export_aiperf.json").read_text())
        ttft, gap = found["time_to_first_token"], found["inter_chunk_latency"]
        return Said(
            ttft["avg"], ttft["p99"], found["inter_token_latency"]["avg"], gap["avg"], gap["p99"],
            found["output_token_throughput"]["avg"], int(found["request_count"]["avg"]),
        )  # fmt: skip

    return Tool("aiperf", environment / "bin" / "aiperf", words, read)


def guidellm(environment: Path) -> Tool:
    """The vLLM project's GuideLLM."""

    def words(order: Order) -> list[str]:
        data = f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={order.tokens}"
        return [
            "run", "--backend", f"kind=openai_http,target={order.url},model=demo",
            "--profile", f"kind=concurrent,streams={order.streams}",
            "--constraint", f"kind=max_requests,count={order.requests}",
            "--data", data,
            "--tokenizer", f"kind=hf_auto,model={TOKENIZER}",
            "--output", f"kind=json,path={order.folder}/report.json", "--disable-console",
        ]  # fmt: skip

    def read(folder: Path) -> Said:
        [found] = json.loads((folder / "report.json").read_text())["benchmarks"]
        metrics = {name: each["successful"] for name, each in _distributions(found["metrics"])}
        ttft, gap = metrics["time_to_first_token_ms"], metrics["inter_token_latency_ms"]
        return Said(
            ttft["mean"], ttft["percentiles"]["p99"], gap["mean"], None, None,
            metrics["output_tokens_per_second"]["mean"],
            found["metrics"]["request_totals"]["successful"],
        )  # fmt: skip

    return Tool("guidellm", environment / "bin" / "guidellm", words, read)


def _distributions(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    for name, each in metrics.items():
        if isinstance(each, dict) and isinstance(each.get("successful"), dict):
            yield name, each


def written(rows: list[Json], file: Path) -> None:
    """A row for each measurement."""
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
