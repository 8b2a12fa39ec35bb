"""Why an engine stood still, by what lies in its compile cache: real folders, no engine."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.samples import sample

from sparkwell.app.compiling import CompileCache, cache_of, explained
from sparkwell.bench.figures import figures
from sparkwell.bench.results import Repeat
from sparkwell.bench.silences import Silence
from sparkwell.bench.stalls import stalls
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.drivers import compile_cache

CASE = Case("64 at once", Workload(512, 256), 192, clients=64)
AT = 1_795_000_000.0
CUBIN = "vllm/deep_gemm/cache/kernel.{}/kernel.cubin"
SAID = "Kernels were compiled then ({} in the compile cache); they are kept, so measure again."


def repeat(seconds: float, began_at: float) -> Repeat:
    """One that began then, with that silence three seconds later."""
    found = figures([sample()], began_s=100.0, ended_s=120.0)
    silence = Silence(seconds, 64, 0.4, 103.0)
    return Repeat(replace(found, silence=silence), [sample()], 100.0, began_at=began_at)


REPEATS = [repeat(0.5, AT), repeat(9.2, AT + 100)]
"""The second one stood still from 103 to 112.2 s after AT."""


def put(folder: Path, name: str, at: float) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.utime(file, (at, at))
    return file


def compiled(folder: Path) -> list[int | None]:
    return [each.compiled for each in explained(CASE, REPEATS, CompileCache(str(folder)))]


def test_files_of_that_time_are_the_cause(tmp_path: Path) -> None:
    for number, after_s in enumerate((102.0, 104.0, 107.5, 112.1, 113.0)):
        put(tmp_path, CUBIN.format(number), AT + after_s)
    assert compiled(tmp_path) == [None, 3]
    [note] = stalls(CASE, explained(CASE, REPEATS, CompileCache(str(tmp_path))))
    assert note.startswith("In repeat 2 no token came for 9.2 s while 64 requests were out: the ")
    assert note.endswith(f"have that in them. {SAID.format('3 files')}")


def test_one_file_is_one(tmp_path: Path) -> None:
    put(tmp_path, CUBIN.format(1), AT + 107)
    put(tmp_path, "triton/K/source.ptx", AT + 107)
    [note] = stalls(CASE, explained(CASE, REPEATS, CompileCache(str(tmp_path))))
    assert note.endswith(SAID.format("1 file"))


def test_a_cache_without_them_tells_no_cause(tmp_path: Path) -> None:
    put(tmp_path, CUBIN.format(1), AT + 3)
    assert compiled(tmp_path) == [None, 0]
    [note] = stalls(CASE, explained(CASE, REPEATS, CompileCache(str(tmp_path))))
    assert note.endswith("the engine stood still, and the figures have that in them.")


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    assert compiled(tmp_path / "nowhere") == [None, None]
    assert compiled(put(tmp_path, "no folder", AT)) == [None, None]
    assert explained(CASE, REPEATS, None) == REPEATS


def test_a_folder_within_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, CUBIN.format(1), AT + 107)
    (tmp_path / "triton").symlink_to("nowhere")
    (tmp_path / "vllm" / "link.so").symlink_to("nowhere")
    assert compiled(tmp_path) == [None, 1]


def test_a_walk_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        put(tmp_path, CUBIN.format(number), AT + 107)
    assert compiled(tmp_path) == [None, 20]
    monkeypatch.setattr(compile_cache, "MOST_FILES", 10)
    assert compiled(tmp_path) == [None, None]
    monkeypatch.undo()
    monkeypatch.setattr(compile_cache, "MOST_S", -1.0)
    assert compiled(tmp_path) == [None, None]


def test_tens_of_thousands_of_files_take_a_moment(tmp_path: Path) -> None:
    folders = [tmp_path / f"triton/{number}" for number in range(200)]
    for folder in folders:
        folder.mkdir(parents=True)
        for number in range(100):
            (folder / f"{number}.json").touch()
    put(folders[7], "k.cubin", AT + 107)
    began_s = time.process_time()
    assert compiled(tmp_path) == [None, 1]
    assert time.process_time() - began_s < 2.0


def test_without_a_stall_nothing_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_cache, "in_folder", lambda *_: pytest.fail("it was looked at"))
    assert explained(CASE, REPEATS[:1], CompileCache(str(tmp_path))) == REPEATS[:1]


def test_what_is_known_is_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [REPEATS[0], replace(REPEATS[1], compiled=3)]
    monkeypatch.setattr(compile_cache, "in_folder", lambda *_: pytest.fail("it was looked at"))
    assert explained(CASE, known, CompileCache(str(tmp_path))) == known


def instance(**changes: Any) -> dict[str, Any]:
    return {"engine": "vllm", "driver": "process", "container": None, **changes}


def test_each_engine_has_its_cache() -> None:
    here = Path("/home/me/.cache/sparkwell")
    assert cache_of(instance(), here) == CompileCache(str(here))
    inside = cache_of(instance(driver="compose", container="sparkwell-m"), here)
    assert inside == CompileCache("/root/.cache/sparkwell", "sparkwell-m")
    assert cache_of(instance(engine="ollama"), here) is None
    assert cache_of(instance(driver=None), here) is None


def test_lines_of_find_that_are_none_are_passed_over() -> None:
    said = "1795373160.2948832230 a b/k.cubin\nfind: no\n\n12 \n1795373161.0 k.so\n"
    assert compile_cache.read_found(said) == [
        ("a b/k.cubin", 1795373160.294883223), ("k.so", 1795373161.0)
    ]  # fmt: skip


def test_where_no_docker_answers_it_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compile_cache.in_container("m", "/cache", AT) is None
