"""Which GPUs CUDA_VISIBLE_DEVICES leaves, as CUDA takes it."""

import pytest

from sparkwell.hardware.visible import choice, visible

UUIDS = ("GPU-aaaa-1", "GPU-aabb-2", "GPU-cccc-3", None)


@pytest.mark.parametrize(
    ("chosen", "places"),
    [
        (None, [0, 1, 2, 3]),
        ("", []),
        ("-1", []),
        ("0", [0]),
        ("2, 0", [2, 0]),
        ("1,7,0", [1]),
        ("1,1", [1]),
        ("GPU-cccc-3", [2]),
        ("GPU-cc,GPU-aab", [2, 1]),
        ("GPU-aa", []),
        ("NoDevFiles", []),
        ("MIG-3f2a", [0, 1, 2, 3]),
    ],
)
def test_what_is_visible(chosen: str | None, places: list[int]) -> None:
    assert visible(chosen, UUIDS) == places


def test_a_choice_is_handed_on_with_nvmls_order() -> None:
    assert choice({"CUDA_HOME": "/usr/local/cuda"}) == {}
    assert choice({"CUDA_VISIBLE_DEVICES": "1"}) == {
        "CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }  # fmt: skip
