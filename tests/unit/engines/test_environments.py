"""Engine environments: their names, and that what they install is nailed down."""

import re

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.core.phases import Phase
from sparkwell.engines.environments import ENVIRONMENTS, EngineEnvironment, environment
from sparkwell.engines.vllm.expect import CPU_SECONDS, first_start

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


def test_a_first_start_on_a_cpu_is_as_measured() -> None:
    assert first_start("cpu", 10**12) == CPU_SECONDS
    assert Phase.COMPILE not in first_start("cpu", 0)


def test_a_first_start_on_a_gpu_grows_with_the_weights() -> None:
    small, large = first_start("cuda", 9_437_000_000), first_start("cuda", 34_320_000_000)
    assert large[Phase.WEIGHTS] == pytest.approx(204)  # the guide's 3.4 minutes for 34.3 GB
    assert small[Phase.WEIGHTS] == pytest.approx(204 * 9.437 / 34.32)
    assert {**small, Phase.WEIGHTS: 0} == {**large, Phase.WEIGHTS: 0}


def test_expectations_are_not_shared() -> None:
    first_start("cpu", 0)[Phase.LAUNCH] = -1
    assert first_start("cpu", 0)[Phase.LAUNCH] > 0
