"""An image is refused with its reason and another one; a forced one is in the log."""

import logging

import pytest

from sparkwell.app.launching.images import require_image
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import ConflictError
from sparkwell.hardware.description import find_machine

SPARK, RECIPE = find_machine("dgx-spark"), load_catalog().get("qwen3-32b")
OLD = "vllm/vllm-openai:v0.10.0"


def test_all_reasons_come_at_once_with_one_way_out() -> None:
    with pytest.raises(ConflictError) as caught:
        require_image(OLD, SPARK, RECIPE)
    assert "is built for amd64" in caught.value.message
    assert "does not work on the GB10" in caught.value.message
    assert (caught.value.hint or "").count("--image ") == 1
    assert "--force" in (caught.value.hint or "")


def test_a_forced_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert require_image(OLD, SPARK, RECIPE, force=True) == ()
    assert "Taking the image for qwen3-32b all the same" in caplog.text


def test_warnings_come_back(caplog: pytest.LogCaptureFixture) -> None:
    (warning,) = require_image("me/vllm:1", SPARK, RECIPE)
    assert warning.id == "unknown-image"
    assert caplog.text == ""
