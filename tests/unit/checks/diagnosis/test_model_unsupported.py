"""Architectures that are newer than the engine."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.model_unsupported import CHECK


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("  Value error, Model architectures ['NewNetForCausalLM'] are not supported for now. "
         "Supported architectures: dict_keys(['A'])", "NewNetForCausalLM"),
        ("ValueError: The checkpoint you are trying to load has model type `newnet` but "
         "Transformers does not recognize this architecture.", "newnet"),
    ],
)  # fmt: skip
def test_the_architecture_is_named(line: str, name: str) -> None:
    [finding] = asked(CHECK, line)
    assert finding.title.endswith(f"does not know {name}")
    assert finding.remedies[0].command == "sparkwell up MODEL --image IMAGE"


def test_an_architecture_that_is_resolved_is_well() -> None:
    assert asked(CHECK, "INFO [model.py:547] Resolved architecture: Qwen3ForCausalLM") == []
