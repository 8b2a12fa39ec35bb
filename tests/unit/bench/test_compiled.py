"""Which files of a compile cache are from a silence."""

from dataclasses import replace

import pytest
from tests.unit.bench.samples import sample

from sparkwell.bench.compiled import SLACK_S, compiled_in, is_compiled, silent_at
from sparkwell.bench.figures import figures
from sparkwell.bench.results import Repeat

AT = 1_795_000_000.0


def repeat(began_at: float | None = AT) -> Repeat:
    """Its clock stood at 100 s when it began; from 103.2 s on no token came for 9 s."""
    samples = [sample(0.2, 0.02, 151), sample(9.0, due_s=103.2)]
    got = figures(samples, began_s=100.0, ended_s=113.0)
    return Repeat(got, samples, 100.0, began_at=began_at)


def test_a_silence_has_its_place_by_the_wall_clock() -> None:
    found = silent_at(repeat())
    assert found is not None
    assert found == pytest.approx((AT + 3.2 - SLACK_S, AT + 12.2 + SLACK_S), abs=1e-6)


def test_where_it_is_not_known_nothing_is_said() -> None:
    assert silent_at(repeat(None)) is None
    old = repeat()
    silence = old.figures.silence
    assert silence is not None
    without = replace(old, figures=replace(old.figures, silence=replace(silence, began_s=None)))
    assert silent_at(without) is None
    assert silent_at(replace(old, figures=replace(old.figures, silence=None))) is None


def test_files_count_that_a_compiler_left_in_that_time() -> None:
    kernel = "vllm/deep_gemm/cache/kernel.fp8_gemm.1a2b/kernel.cubin"
    files = [(kernel, AT + 5), (kernel, AT + 1), (kernel, AT + 14), ("triton/K/k.json", AT + 5)]
    assert compiled_in((AT + 3, AT + 12), files) == 1
    assert compiled_in((AT + 0, AT + 14), files) == 3
    assert compiled_in((AT + 20, AT + 30), files) == 0


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("vllm/deep_gemm/cache/kernel.x.0a/kernel.cubin", True),
        ("vllm/deep_gemm/cache/kernel.x.0a/kernel.cu", False),
        ("tensorrt_llm/cache/x_0a/kernel.cubin", True),
        ("triton/K5/_kernel.hsaco", True),
        ("triton/K5/_kernel.ptx", False),
        ("triton/K5/cuda_utils.cpython-312-x86_64-linux-gnu.so", True),
        (".cache/flashinfer/0.5.2/90a/cached_ops/norm/norm.so", True),
        (".cache/flashinfer/0.5.2/90a/cached_ops/norm/norm.cuda.o", False),
        ("vllm/torch_compile_cache/0a/rank_0_0/inductor_cache/fxgraph/zz/fzz/abc", True),
        ("vllm/torch_compile_cache/torch_aot_compile/0a/rank_0_0/model", True),
        ("vllm/torch_compile_cache/0a/rank_0_0/x.lock", False),
        ("vllm/modelinfos/x.json", False),
    ],
)
def test_what_lies_beside_a_kernel_does_not_count(path: str, counts: bool) -> None:
    assert is_compiled(path) is counts
