"""Images that cannot run here."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.image_wrong import CHECK

PLATFORM = (
    "The requested image's platform (linux/amd64) does not match the detected host platform "
    "(linux/arm64/v8) and no specific platform was requested"
)


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("exec /usr/local/bin/vllm: exec format error", "built for another processor"),
        (PLATFORM, "built for linux/amd64, not for linux/arm64"),
        (
            "WARNING: image platform (linux/amd64) does not match the expected platform "
            "(linux/arm64)",
            "built for linux/amd64, not for linux/arm64",
        ),
        ("no matching manifest for linux/arm64/v8 in the manifest list", "not for linux/arm64"),
    ],
)
def test_an_image_for_another_processor(line: str, title: str) -> None:
    [finding] = asked(CHECK, line)
    assert title in finding.title
    assert any(each.command == "sparkwell up MODEL" for each in finding.remedies)


def test_the_platform_that_is_wanted_is_in_the_command() -> None:
    [finding] = asked(CHECK, PLATFORM)
    assert finding.remedies[0].command == "docker pull --platform linux/arm64 IMAGE"


def test_a_platform_that_fits_is_well() -> None:
    assert asked(CHECK, "INFO [__init__.py:241] Automatically detected platform cuda.") == []
