"""The longest silence of a repeat, and what the repeat shows of how long one may be."""

import json
from array import array
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.unit.bench.samples import sample
from tests.unit.bench.simulated import Engine, Load, Simulation

from sparkwell.bench.sample import Sample
from sparkwell.bench.silences import Silence, longest_silence
from sparkwell.bench.stalls import SHORTEST_S, TIMES_USUAL

RESULTS = Path(__file__).parents[3] / "docs" / "benchmarks" / "runs"
Json = dict[str, Any]


def simulated(engine: Engine, load: Load, seed: int = 0, documents: int = 0) -> Silence:
    samples = Simulation(engine, load, Random(seed)).run()
    found = longest_silence(samples, documents)
    assert found is not None
    return found


def is_stall(silence: Silence) -> bool:
    """By what the repeat alone tells."""
    usual = silence.usual_s
    return usual is not None and silence.seconds > max(SHORTEST_S, TIMES_USUAL * usual)


def test_nothing_sent_has_no_silence() -> None:
    assert longest_silence([]) is None
    assert longest_silence([Sample(1.0)]) is None


def test_it_is_where_no_stream_has_a_token() -> None:
    """One is silent for 5 s, but not both."""
    gaps = [sample(0.2, 5.0, 2), sample(0.2, 0.5, 11)]
    found = longest_silence(gaps)
    assert found is not None
    assert found.seconds == pytest.approx(0.5)
    assert found.out == 2
    assert found.began_s is not None
    assert 100.2 <= found.began_s < 105.2


def test_time_in_which_nothing_was_out_is_no_silence() -> None:
    found = longest_silence([sample(due_s=100.0), sample(due_s=200.0)])
    assert found is not None
    assert found.seconds == pytest.approx(0.2)
    assert found.out == 1


def test_one_that_never_had_a_token_counts() -> None:
    cut = sample(0.0, 0.0, 1, error="cut")
    cut.ended_s = 107.0
    found = longest_silence([cut, sample(due_s=103.0)])
    assert found is not None
    assert found.seconds == pytest.approx(3.6)
    assert found.out == 1


GUIDE = Load(requests=192, prompt=512, output=64, clients=64)


@pytest.mark.parametrize(
    ("engine", "load"),
    [
        (Engine(stall_at_s=3.0, stall_s=9.0), GUIDE),
        (Engine(stall_at_s=0.0, stall_s=9.0, seats=16), GUIDE),
        (Engine(stall_at_s=3.0, stall_s=2.0), Load(30, 512, 256, clients=1)),
        (Engine(stall_at_s=3.0, stall_s=4.0), Load(60, 128, 64, rate=4.0)),
        (Engine(stall_at_s=3.0, stall_s=2.0), Load(200, 128, 100, rate=20.0)),
        (Engine(stall_at_s=3.0, stall_s=2.0, step_s=0.02), Load(200, 128, 100, rate=20.0)),
        (Engine(stall_at_s=3.0, stall_s=9.0), Load(24, 4224, 128, clients=8, cached=4096)),
    ],
)
def test_a_stall_is_told_from_work(engine: Engine, load: Load) -> None:
    found = simulated(engine, load, documents=1 if load.cached else 0)
    assert found.seconds >= engine.stall_s
    assert is_stall(found)


@pytest.mark.parametrize(
    ("engine", "load"),
    [
        (Engine(), Load(1, 131_072, 8, clients=1)),
        (Engine(), Load(2, 131_072, 8, clients=1)),
        (Engine(), Load(8, 32_000, 64, clients=8)),
        (Engine(chunk=262_144), Load(8, 32_000, 64, clients=8)),
        (Engine(read_s=1e-3), GUIDE),
        (Engine(read_s=1e-3, seats=8), GUIDE),
        (Engine(read_s=1e-3), Load(64, 512, 64, clients=64)),
        (Engine(read_s=1e-3), Load(30, 4224, 128, rate=0.5, cached=4096)),
        (Engine(read_s=1e-3), Load(24, 8320, 128, clients=8, cached=8192)),
        (Engine(step_s=1.5), Load(3, 128, 16, clients=1)),
    ],
)
def test_reading_prompts_is_no_stall(engine: Engine, load: Load) -> None:
    found = simulated(engine, load, documents=1 if load.cached else 0)
    assert found.seconds > SHORTEST_S
    assert not is_stall(found)


def any_load(random: Random) -> Load:
    prompt, clients = int(10 ** random.uniform(1, 5)), random.choice((1, 2, 3, 8, 16, 64))
    output = int(10 ** random.uniform(0, 1.8))
    cached = int(prompt * random.uniform(0.5, 0.97)) if random.random() < 0.2 else 0
    if random.random() < 0.3:
        rate = 10 ** random.uniform(-1.5, 1)
        return Load(random.choice((10, 30)), prompt, output, rate=rate, cached=cached)
    requests = clients * random.choice((1, 1, 2, 3))
    return Load(requests, prompt, output, clients, cached=cached)


def any_engine(random: Random) -> Engine:
    return Engine(
        chunk=random.choice((512, 2048, 8192, 65_536)),
        seats=random.choice((1, 4, 16, 256)),
        step_s=10 ** random.uniform(-2.5, -0.7),
        read_s=10 ** random.uniform(-5, -2.5),
        decode_s=10 ** random.uniform(-5, -3),
    )


def test_no_engine_that_works_is_said_to_stand_still() -> None:
    """Of any speed, with chunks, seats and loads of any size."""
    for seed in range(250):
        random = Random(seed)
        load, engine = any_load(random), any_engine(random)
        found = simulated(engine, load, seed, documents=1 if load.cached else 0)
        assert not is_stall(found), (seed, load, engine, found)


def rebuilt(row: list[Any]) -> Sample:
    """A request of a run that was kept: its tokens are not, so they stand evenly spaced.

    What that makes of the time between first tokens and ends is a guess; before first tokens not.
    """
    due_s, ttft_s, tpot_s, e2e_s, prompt, output, error = row
    first, sent = due_s + ttft_s, due_s + 1e-9
    last, gaps = first + (tpot_s or 0) * (output - 1), array("d", [tpot_s or 0] * (output - 1))
    return Sample(due_s, sent, first, last, due_s + e2e_s, gaps, prompt, output, 200, error)


def stalls_in(file: Path) -> list[tuple[str, int, float]]:
    """Case, repeat and seconds of each that stands out within its own repeat."""
    found = []
    for case in json.loads(file.read_text())["cases"]:
        for number, repeat in enumerate(case["repeats"], 1):
            silence = longest_silence([rebuilt(row) for row in repeat["requests"]["rows"]],
                                      _documents(case))  # fmt: skip
            if silence is not None and is_stall(silence):
                found.append((case["name"], number, round(silence.seconds, 1)))
    return found


def _documents(case: Json) -> int:
    return int(bool(case["workload"]["document_tokens"] and case["name"] != "question first"))


@pytest.mark.parametrize(
    ("run", "stalls"),
    [
        ("256-seqs-crowd", [("a shared prefix", 1, 9.2)]),
        ("256-seqs-guide", []),
        ("256-seqs-long-context", []),
        ("256-seqs-prefix", [("document first", 1, 6.6)]),
        ("guide-flags-crowd", [("long answers", 1, 14.4)]),
        ("guide-flags-guide", [("64 at once", 2, 12.7)]),
    ],
)
def test_the_runs_on_an_h100(run: str, stalls: list[tuple[str, int, float]]) -> None:
    """One more of them stood still in the midst of answers, which evenly spaced tokens hide."""
    assert stalls_in(RESULTS / f"2026-11-22-h100-qwen3-8b-fp8-{run}.json") == stalls
