"""A context longer than the model's own."""

from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.memory.max_model_len import CHECK
from sparkwell.core.findings import Severity

LONGER = (
    "User-specified max_model_len (65536) is greater than the derived max_model_len "
    "(max_position_embeddings={} or model_max_length=None in model's config.json). "
)
REFUSED = "(APIServer pid=1)   Value error, " + LONGER + "To allow overriding this maximum, set the"
ALLOWED = "(APIServer pid=1) WARNING 11-20 10:00:08 [model.py:20] " + LONGER + "VLLM_ALLOW_LONG_MAX"
YARN = "INFO 11-20 10:00:01 [u.py:1] non-default args: {'hf_overrides': {'rope_scaling': \
{'rope_type': 'yarn', 'factor': 2.0}}}\n"


def test_the_models_own_length_is_the_remedy() -> None:
    [finding] = asked(CHECK, REFUSED.format("40960"))
    assert (finding.id, finding.severity) == ("max-model-len-too-large", Severity.ERROR)
    assert finding.remedies[0].command == "sparkwell up MODEL --set max_model_len=40960"
    assert not any("ALLOW_LONG" in (each.command or "") for each in finding.remedies)


def test_a_length_with_a_point_is_a_whole_number() -> None:
    [finding] = asked(CHECK, REFUSED.format("32768.0"))
    assert finding.remedies[0].command == "sparkwell up MODEL --set max_model_len=32768"


def test_where_the_check_was_turned_off_it_is_a_warning() -> None:
    [finding] = asked(CHECK, ALLOWED.format("40960"))
    assert finding.severity is Severity.WARNING


def test_with_rope_scaling_more_is_what_was_meant() -> None:
    assert asked(CHECK, YARN + ALLOWED.format("40960")) == []
    assert asked(CHECK, YARN + REFUSED.format("40960")) != []


def test_what_looks_alike_is_well() -> None:
    assert asked(CHECK, "INFO 11-20 10:00:04 [model.py:1] Using max model len 65536") == []
    assert asked(CHECK, f"Received request c-1: prompt: '{REFUSED}'") == []
