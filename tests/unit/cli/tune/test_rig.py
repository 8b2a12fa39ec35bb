"""What a daemon's answer to a start means for a trial."""

import pytest

from sparkwell.cli.tune.rig import refusal, said
from sparkwell.core.errors import ConflictError, EnvironmentFault, SparkwellError, UsageError


@pytest.mark.parametrize("code", [ConflictError.code, UsageError.code])
def test_a_refusal_is_known_by_its_code(code: str) -> None:
    """The daemon's answer is an error of no kind: only its code says what it was."""
    answer = SparkwellError("It does not fit.", hint="Stop another.")
    answer.code = code
    found = refusal(answer)
    assert isinstance(found, ConflictError)
    assert (found.message, found.hint) == ("It does not fit.", "Stop another.")


def test_what_else_goes_wrong_is_no_refusal_and_no_crash() -> None:
    fault = EnvironmentFault("The daemon broke off its answer.")
    assert refusal(fault) is fault


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "a=true"), (False, "a=false"), (64, "a=64"), (0.9, "a=0.9"), ('{"b":1}', 'a={"b":1}')],
)
def test_a_flag_is_said_as_set_takes_it(value: bool | float | str, text: str) -> None:
    assert said("a", value) == text
