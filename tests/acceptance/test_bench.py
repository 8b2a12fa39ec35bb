"""`sparkwell bench` tells the truth: of an upstream with known times, and over a daemon."""

import asyncio
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkwell.bench.stalls import stalls
from sparkwell.bench.suites import CHAT, closed
from sparkwell.cli.context import Context
from sparkwell.cli.tune.rig import DaemonRig
from tests.acceptance.conftest import Home, command, end, wait_for
from tests.acceptance.known_times import known

Json = dict[str, Any]
MODEL = "demo-qwen3"
WITHIN = 0.02
TRIES = 3
"""A machine that stands still for a moment is no fault of the tool: the best of so many counts."""


@pytest.fixture
def needs_compiler() -> None:
    """The upstream is a small C program: one in Python could not keep its own times."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no C compiler (Debian's gcc and libc6-dev)")


Script = Callable[..., None]


def measured(home: Home, *words: str) -> Json:
    """The one case of a run of one repeat."""
    said = home.ok("bench", "demo", *words, "--repeats", "1", "--json", timeout=120)
    [case] = json.loads(said)["cases"]
    return dict(case)


def refused(home: Home, *words: str, code: int) -> str:
    """What a command that has to fail says."""
    done = home.run("bench", *words)
    assert done.returncode == code, done.stderr
    return done.stderr


def off_by(case: Json, streams: int) -> dict[str, float]:
    """The share by which each figure is off."""
    names = {
        "ttft_ms": "ttft_mean_s",
        "tpot_ms": "tpot_mean_s",
        "tokens_per_s": "output_tokens_per_s",
    }
    true = known.truth(streams)
    got = {name: case["measured"][ours]["mean"] for name, ours in names.items()}
    return {
        name: got[name] * (1000 if name.endswith("_ms") else 1) / true[name] - 1 for name in names
    }


@pytest.mark.usefixtures("needs_compiler")
@pytest.mark.parametrize("streams", [1, 16, 64])
def test_it_reports_the_truth(home: Home, streams: int) -> None:
    """TTFT 200 ms, 20 ms a token and 100 tokens, within 2 %, with so many at once."""
    tried = []
    for _ in range(TRIES):
        with known.upstream() as port:
            words = ("--url", f"http://127.0.0.1:{port}", "--concurrency", str(streams))
            case = measured(home, *words, "--requests", str(2 * streams))
        assert case["failed"] == 0
        tried.append(off_by(case, streams))
        if max(map(abs, tried[-1].values())) <= WITHIN:
            return
    pytest.fail(f"off by more than {WITHIN:.0%}: {tried}")


def assert_stall_is_told(case: Json) -> str:
    """Two seconds without a token, of an engine that is silent for 200 ms at most otherwise."""
    [silence_s] = [each["silence_s"] for each in case["repeats"]]
    assert silence_s > 1.9
    assert silence_s == pytest.approx(case["measured"]["silence_s"]["mean"], abs=1e-5)
    [said] = [note for note in case["notes"] if "no token came" in note]
    assert said.startswith(f"In repeat 1 no token came for {silence_s:.1f} s while ")
    return str(said)


@pytest.mark.usefixtures("needs_compiler")
def test_a_stall_shows_in_the_percentiles_of_all_who_came_meanwhile(home: Home) -> None:
    """Of 20 requests a second, those due in the first second of a stall of two wait for one."""
    with known.upstream("--stall", known.STALL) as port:
        words = ("--url", f"http://127.0.0.1:{port}", "--rate", "20", "--requests", "200")
        case = measured(home, *words)
    ttft = [row[1] for row in case["repeats"][0]["requests"]["rows"]]
    waited = sum(each > 1.2 for each in ttft)
    assert 8 <= waited <= 35, "about 20 came in that second"
    assert max(ttft) > 2.0
    assert case["measured"]["ttft_p95_s"]["mean"] > 1.0
    assert case["measured"]["ttft_p50_s"]["mean"] < 0.3
    assert_stall_is_told(case)


@pytest.mark.usefixtures("needs_compiler")
def test_a_stall_shows_with_clients_that_wait_for_it(home: Home) -> None:
    with known.upstream("--stall", known.STALL) as port:
        words = ("--url", f"http://127.0.0.1:{port}", "--concurrency", "4", "--requests", "16")
        case = measured(home, *words)
    assert case["measured"]["itl_most_s"]["mean"] > 1.9
    assert case["measured"]["e2e_most_s"]["mean"] > 4.0
    assert "while 4 requests were out" in assert_stall_is_told(case)


@contextmanager
def standing_still(home: Home) -> Iterator[Path]:
    """The engine is held for two seconds and a half; given is the folder that it compiles into."""
    engines = [each for each in home.engine_processes() if "fake_engine" in str(each.cmdline())]
    for each in engines:
        each.suspend()
    try:
        time.sleep(0.5)
        yield Path(engines[0].environ()["VLLM_CACHE_ROOT"])
        time.sleep(2.0)
    finally:
        for each in engines:
            each.resume()


def put_kernel(folder: Path, name: str) -> None:
    kernel = folder / "deep_gemm" / "cache" / f"kernel.{name}"
    kernel.mkdir(parents=True)
    (kernel / "kernel.cubin").touch()
    (kernel / "kernel.cu").touch()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_repeat_in_which_kernels_were_compiled_is_measured_again(
    home: Home, script: Script, elsewhere: bool
) -> None:
    """Of an engine of this Sparkwell's; whose cache another endpoint has is not known."""
    script(ttft_s=0.05, tokens_per_s=200)
    home.ok("up", MODEL)
    put_kernel(home.paths.cache / "vllm", "of-the-start")
    out, words = home.root / "out", ("--concurrency", "4", "--requests", "60", "--repeats", "1")
    asked = (MODEL, "--url", home.url) if elsewhere else (MODEL, "--direct")
    bench = home.spawn("bench", *asked, *words, output=out)
    wait_for(lambda: "1 of 1: 10 %" in out.read_text() or bench.poll() is not None)
    with standing_still(home) as cache:
        put_kernel(cache, "one")
        put_kernel(cache, "two")
    assert bench.wait(60) == 0, out.read_text()
    [case] = home.json("bench", "show")["cases"]
    [note] = [each for each in case["notes"] if "no token came" in each]
    said = " ".join(out.read_text().split())
    assert note in said
    assert ("1 of 1 again, warming up" in said) is not elsewhere
    if elsewhere:
        assert "the engine stood still" in note
        assert (case["repeats"][0]["compiled_files"], case["set_aside"]) == (None, [])
    else:
        assert_set_aside(case, note)


def assert_set_aside(case: Json, note: str) -> None:
    """The attempt with the stall is kept, and in no figure."""
    [aside] = case["set_aside"]
    assert (aside["repeat"], aside["compiled_files"]) == (1, 2)
    assert aside["silence_s"] > 2.0
    assert len(aside["requests"]["rows"]) == 60
    assert case["measured"]["silence_s"]["mean"] < 1.0
    assert case["measured"]["silence_s"]["repeats"] == 1
    assert note == (
        "Measured again with new prompts: repeat 1, as no token came for "
        f"{aside['silence_s']:.1f} s while kernels were compiled (2 files in the compile cache)."
    )


def stand_still(home: Home, after_s: float) -> None:
    time.sleep(after_s)
    with standing_still(home) as cache:
        put_kernel(cache, "one")


def test_a_tuning_is_told_of_them_too(home: Home, script: Script) -> None:
    script(ttft_s=0.05, tokens_per_s=200)
    home.ok("up", MODEL)
    context = Context(home.environ, None, (), system=False)
    rig = DaemonRig(context, MODEL, None, lambda _: None)
    asyncio.run(rig.start({}, None))
    case = replace(closed(CHAT, 4), requests=60)
    with ThreadPoolExecutor(1) as aside:
        stalling = aside.submit(stand_still, home, 2.0)
        found = asyncio.run(rig.measure(case, 1, "seed", None))
        stalling.result()
    assert [each.compiled for each in found] == [1]
    [note] = stalls(case, found)
    assert "Kernels were compiled then (1 file in the compile cache)" in note


@pytest.fixture
def loaded(home: Home) -> Home:
    home.ok("up", MODEL)
    return home


@pytest.mark.parametrize("way", [[], ["--direct"]])
def test_a_model_that_runs_is_measured(loaded: Home, way: list[str]) -> None:
    found = loaded.json("bench", *way, "--repeats", "2", "--concurrency", "1,4", "--requests", "8")
    assert [case["clients"] for case in found["cases"]] == [1, 4]
    assert found["model"] == MODEL
    assert found["broken"] is None
    assert found["flags"]["max_model_len"] == 2048
    assert found["versions"]["engine"] == "vllm"
    for case in found["cases"]:
        assert (case["failed"], len(case["repeats"])) == (0, 2)
        rows = [row for each in case["repeats"] for row in each["requests"]["rows"]]
        assert {(row[4], row[5]) for row in rows} == {(128, 64)}, "lengths are exact"


def test_runs_are_kept_shown_and_compared(loaded: Home, tmp_path: Path) -> None:
    words = ("bench", MODEL, "--concurrency", "2", "--requests", "4", "--repeats", "2")
    first, second = loaded.json(*words), loaded.json(*words, "--seed", "mine")
    kept = loaded.json("bench", "list")["runs"]
    assert [each["run"] for each in kept] == [second["run"], first["run"]]
    assert loaded.json("bench", "show", "2") == first
    assert loaded.json("bench", "show", first["run"]) == first
    file = tmp_path / "rows.csv"
    assert "OUTPUT TOKENS/S" in loaded.ok("bench", "show", "--csv", str(file))
    assert file.read_text().startswith("run,model,suite,case,")
    compared = loaded.json("bench", "compare", "2", "1")
    assert {each["case"] for each in compared["figures"]} == {"2 at once"}
    assert "TTFT p50" in loaded.ok("bench", "compare", first["run"], second["run"])


def test_a_run_of_somebody_else_is_shown_from_its_file(loaded: Home, tmp_path: Path) -> None:
    run = loaded.json("bench", "--concurrency", "1", "--requests", "1", "--repeats", "1")
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(run))
    assert "not whole" not in loaded.ok("bench", "show", str(file)).lower()
    file.write_text("{}")
    assert "is no run of" in refused(loaded, "show", str(file), code=2)


def test_a_model_that_is_not_loaded_is_not_measured(loaded: Home) -> None:
    said = refused(loaded, "demo-llama", code=2)
    assert "demo-llama is not loaded (loaded: demo-qwen3)" in said
    assert "sparkwell up demo-llama" in said
    assert "Did you mean demo-llama" in refused(loaded, "demo-lama", code=2)


MISTAKES = (
    (["--suite", "gide"], "no suite 'gide'"),
    (["--concurrency", "1,x"], "no list of numbers"),
    (["--concurrency", "0"], "is not from 1"),
    (["--concurrency", "50000"], "more than the gateway's 2,000 connections"),
    (["--rate", "-1"], "is not from"),
    (["--slo", "ttft=fast"], "is none of ttft, tpot, e2e"),
    (["--slo", "ttft=0s"], "is none of"),
    (["--repeats", "0"], "is not in the range"),
    (["--url", "box:8000"], "is no URL"),
)


def test_what_cannot_be_asked_is_told(loaded: Home) -> None:
    for words, said in MISTAKES:
        assert said in refused(loaded, MODEL, *words, code=2)


def test_nobody_there_is_told(home: Home) -> None:
    said = refused(home, "m", "--url", "http://127.0.0.1:9", code=2)
    assert "m does not answer" in said


def test_an_engine_that_dies_leaves_what_was_measured(home: Home, script: Script) -> None:
    script(die_after_requests=12, die_code=-9)
    home.ok("up", MODEL)
    words = ("--direct", "--concurrency", "2", "--requests", "40", "--repeats", "1", "--json")
    done = home.run("bench", *words)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert "requests in a row failed" in found["broken"]
    rows = found["cases"][0]["repeats"][0]["requests"]["rows"]
    assert [row for row in rows if row[6] is None]
    assert home.json("bench", "show")["broken"] == found["broken"]


def test_an_engine_that_dies_once_and_comes_back_is_told(home: Home, script: Script) -> None:
    """The gateway answers with errors meanwhile, and the run goes on to its end."""
    script(die_after_requests=40, die_code=-9)
    home.ok("up", MODEL)
    words = ("--concurrency", "2", "--requests", "60", "--repeats", "1")
    done = home.run("bench", *words, timeout=120)
    found = home.json("bench", "show")
    assert found["broken"] is None, found["broken"]
    failed = found["cases"][0]["failed"]
    assert failed > 0
    assert f"{failed} of 60 requests failed" in done.stdout
    assert done.returncode == 1
    assert f"{failed} failed" in home.ok("bench", "list")
    compared = home.ok("bench", "compare", "1", "1")
    assert f"{failed} of 60 requests failed" in compared


def test_more_at_a_rate_than_the_gateway_lets_in_are_failed_requests(
    home: Home, script: Script
) -> None:
    """Its 503 comes before anything is asked, and the connection is closed with it."""
    home.configure({"gateway": {"max_connections": 10}})
    script(ttft_s=0.5, tokens_per_s=400)
    home.ok("up", MODEL)
    words = ("--rate", "40", "--requests", "60", "--repeats", "1", "--slo", "ttft=1ms")
    done = home.run("bench", *words, timeout=120)
    assert "Traceback" not in done.stderr
    assert "of 60 requests failed" in done.stdout
    assert "503: There are too many connections. They are in no latency." in done.stdout
    assert "gateway.max_connections" in done.stdout
    assert "The SLO is out of reach: 0 of 60 requests kept TTFT ≤ 1.0 ms" in done.stdout
    assert done.returncode == 1
    assert "10 connections" in refused(home, "--concurrency", "11", code=2)


@contextmanager
def a_full_disk(folder: Path) -> Iterator[Path]:
    """A disk of 16 KiB of its own, where this user may make one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk of its own here: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_where_a_file_has_no_room_the_run_is_kept_all_the_same(
    loaded: Home, tmp_path: Path
) -> None:
    words = ("--concurrency", "1", "--requests", "1", "--repeats", "1")
    with a_full_disk(tmp_path / "small") as folder:
        done = loaded.run("bench", *words, "--html", str(folder / "x.html"))
        assert list(folder.iterdir()) == []
    assert "Kept as " in done.stdout
    assert f"--html: '{folder / 'x.html'}' could not be written: No space left" in done.stderr
    assert "name a file elsewhere" in done.stderr
    assert done.returncode == 2


STATUSES = ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129))


@pytest.mark.parametrize(("number", "status"), STATUSES)
def test_what_was_measured_until_it_was_stopped_is_kept(
    home: Home, script: Script, number: int, status: int
) -> None:
    script(ttft_s=0.2, tokens_per_s=200)
    home.ok("up", MODEL)
    out = home.root / "out"
    bench = home.spawn("bench", *LONG, output=out)
    wait_for(lambda: "1 of 1: 10 %" in out.read_text() or bench.poll() is not None)
    assert end(bench, number) == status
    assert_kept(home, out)


LONG = ("--concurrency", "2", "--requests", "100", "--repeats", "1")


def assert_kept(home: Home, out: Path) -> None:
    assert "Not whole: stopped by hand" in out.read_text()
    found = home.json("bench", "show")
    assert "stopped by hand" in found["broken"]
    rows = found["cases"][0]["repeats"][0]["requests"]["rows"]
    assert len([row for row in rows if row[6] is None]) >= 10


def test_a_job_in_the_background_of_a_script_is_ended_by_sigterm_twice(
    home: Home, script: Script
) -> None:
    """There SIGINT is ignored, as the shell asks; and `timeout` sends its signal to all twice."""
    script(ttft_s=0.2, tokens_per_s=200)
    home.ok("up", MODEL)
    out, pid = home.root / "out", home.root / "pid"
    background = shlex.join(command("bench", *LONG))
    shell = f"{background} & echo $! > {shlex.quote(str(pid))}; wait $!"
    bench = home.spawn_command(["sh", "-c", shell], out)
    wait_for(lambda: "1 of 1: 10 %" in out.read_text() or bench.poll() is not None)
    number = int(pid.read_text())
    os.kill(number, signal.SIGINT)
    time.sleep(0.5)
    assert bench.poll() is None, out.read_text()
    os.kill(number, signal.SIGTERM)
    os.kill(number, signal.SIGTERM)
    assert bench.wait(60) == 143
    assert_kept(home, out)


def test_a_run_that_cannot_be_kept_is_shown_all_the_same(loaded: Home) -> None:
    loaded.paths.benchmarks.write_text("in the way")
    done = loaded.run("bench", "--concurrency", "1", "--requests", "1", "--repeats", "1")
    assert "OUTPUT TOKENS/S" in done.stdout
    assert "could not be kept" in done.stderr
    assert done.returncode == 2


def test_what_was_measured_is_kept_where_the_terminal_went(home: Home, script: Script) -> None:
    script(ttft_s=0.2, tokens_per_s=200)
    home.ok("up", MODEL)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command()[0], command("bench", *LONG), home.environ)  # noqa: S606 - the child of a fork
    seen = b""
    while not re.search(rb"[1-9]\d %", seen):
        seen += os.read(terminal, 4096)
    os.close(terminal)  # as when a window is closed
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    assert "stopped by hand" in home.json("bench", "show")["broken"]


def test_what_was_measured_is_kept_where_nobody_reads_it(loaded: Home) -> None:
    words = ("--concurrency", "1", "--requests", "1", "--repeats", "1")
    piped = f"{shlex.join(command('bench', *words))} | true"
    before = len(loaded.json("bench", "list")["runs"])
    subprocess.run(["sh", "-c", piped], env=loaded.environ, check=True, capture_output=True)
    assert len(loaded.json("bench", "list")["runs"]) == before + 1
