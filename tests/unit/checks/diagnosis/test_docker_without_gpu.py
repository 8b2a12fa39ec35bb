"""Docker without a GPU for containers."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.docker_without_gpu import CHECK


@pytest.mark.parametrize(
    "line",
    [
        'Error response from daemon: could not select device driver "" with capabilities: [[gpu]]',
        'could not select device driver "nvidia" with capabilities: [[compute utility gpu]]',
        "Error response from daemon: unknown or invalid runtime name: nvidia",
    ],
)
def test_docker_says_that_it_has_none(line: str) -> None:
    [finding] = asked(CHECK, line)
    assert finding.id == "docker-without-gpu"
    assert finding.remedies


def test_another_driver_is_not_meant() -> None:
    assert asked(CHECK, "driver failed programming external connectivity on endpoint vllm") == []
