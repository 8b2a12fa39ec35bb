"""The warning of capability 12.1."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.capability_warning import CHECK
from sparkwell.core.findings import Severity

FOUND = "    Found GPU0 NVIDIA GB10 which is of cuda capability 12.1.\n"
RANGE = "    Minimum and Maximum cuda capability supported by this version of PyTorch is\n    {}\n"


@pytest.mark.parametrize("below", ["", RANGE.format("(8.0) - (12.0)"),
                                   "Maximum cuda capability supported is 12.0"])  # fmt: skip
def test_it_is_information_and_never_an_error(below: str) -> None:
    [finding] = asked(CHECK, FOUND + below)
    assert (finding.severity, finding.remedies) == (Severity.INFO, ())


def test_where_pytorch_has_no_kernels_of_the_family_it_is_not_cosmetic() -> None:
    assert asked(CHECK, FOUND + RANGE.format("(5.0) - (9.0)")) == []


def test_another_gpu_is_not_meant() -> None:
    old = "Found GPU0 Tesla V100 which is of cuda capability 7.0."
    assert asked(CHECK, old) == []
