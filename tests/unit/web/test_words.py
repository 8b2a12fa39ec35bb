"""The filters of the templates."""

import pytest

from sparkwell.core.units import GIB
from sparkwell.web.figures import machine_figures
from sparkwell.web.words import sentence


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("GPUs that share every layer", "GPUs that share every layer."),
        ("a number from 0 to 1", "A number from 0 to 1."),
        ("Is it?", "Is it?"),
        ("Done.", "Done."),
        ("", ""),
    ],
)
def test_a_sentence(words: str, expected: str) -> None:
    assert sentence(words) == expected


def test_the_machine_in_figures() -> None:
    assert machine_figures(None) == []
    assert machine_figures({"cpu_used": 0.0, "gpu_used": None}) == [("CPU", "0 %")]
    told = machine_figures({"power_w": 61.4, "swap_used_bytes": 2 * GIB, "memory_stalled": 0.001})
    assert told == [("Power", "61 W"), ("Swap in use", "2.0 GiB")]
