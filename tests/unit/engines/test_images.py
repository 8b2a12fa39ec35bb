"""What is known of images, which one a model gets, and what is refused with which reason."""

from dataclasses import replace

import pytest

from sparkwell.catalog import Recipe, load_catalog
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.vllm.image_rules import (
    GUIDES_IMAGE,
    architecture_of,
    check_image,
    choose_image,
)
from sparkwell.engines.vllm.image_table import makers
from sparkwell.engines.vllm.images import facts_of, nvidia_versions, upstream, version_of
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine, machine_names
from sparkwell.hardware.machine import Machine

CATALOG = load_catalog()
SPARK, H100, CPU = (find_machine(name) for name in ("dgx-spark", "h100-80gb", "cpu"))
BF16, BLOCK, TENSOR = (
    CATALOG.get(name) for name in ("qwen3-32b", "qwen3-32b-fp8", "llama33-70b-fp8")
)
NGC, OWN = "nvcr.io/nvidia/vllm", "vllm/vllm-openai"


def ids(
    image: str, *, machine: Machine = SPARK, recipe: Recipe = BF16, cpu: str | None = None
) -> list[str]:
    return [problem.id for problem in check_image(image, machine, recipe, cpu)]


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (f"{NGC}:25.09-py3", "0.10.1.1"),
        (f"{NGC}:26.05.post1-py3", "0.20.1"),
        (f"{NGC}:26.10-py3@sha256:{'a' * 64}", "0.31.0"),
        (f"registry.lan:5000/mirror/{NGC.partition('/')[2]}:25.10-py3", "0.10.2"),
        (f"{NGC}:26.06-py3", None),
        (f"{NGC}:27.01-py3", None),
        (f"{OWN}:v0.25.0", "0.25.0"),
        (f"docker.io/{OWN}:v0.10.1.1", "0.10.1.1"),
        (f"{OWN}:v0.21.0-cu129", "0.21.0"),
        (f"{OWN}:v0.25.1-aarch64", "0.25.1"),
        (f"{OWN}:latest", None),
        (f"{OWN}:nightly", None),
        (OWN, None),
        (f"{OWN}@sha256:{'a' * 64}", None),
        ("somebody/vllm:v0.25.0", None),
        ("", None),
    ],
)
def test_versions_are_known_by_name(image: str, version: str | None) -> None:
    assert version_of(image) == version


def test_a_tag_may_name_cuda_and_processor() -> None:
    facts = facts_of(f"{OWN}:v0.21.0-cu129")
    assert (facts.cuda, facts.architectures) == ("12.9", ("amd64", "arm64"))
    assert facts_of(f"{OWN}:v0.25.1-aarch64").architectures == ("arm64",)
    assert facts_of(f"{OWN}:v0.10.0").architectures == ("amd64",)
    assert facts_of(f"{NGC}:25.10-py3").cuda == "13.0.2"
    assert facts_of("somebody/vllm:1").architectures == ()


def test_only_a_tag_that_moves_is_floating() -> None:
    assert facts_of(OWN).floating
    assert facts_of(f"{OWN}:latest").floating
    assert not facts_of(f"{OWN}@sha256:{'a' * 64}").floating
    assert not facts_of(f"{NGC}:26.06-py3").floating
    assert not facts_of("somebody/vllm:latest").floating


def test_the_entrypoint_that_makes_the_same_command_work() -> None:
    assert facts_of(f"{NGC}:25.09-py3").entrypoint is None
    assert facts_of(f"{OWN}:v0.25.0").entrypoint == ()
    assert facts_of("vllm/vllm-openai-cpu:v0.25.0").entrypoint == ()
    assert facts_of("somebody/vllm:1").entrypoint is None


def test_the_table_leaves_no_version_of_the_project_out_and_none_twice() -> None:
    (own,) = [maker for maker in makers() if maker.repository == OWN]
    edges = [(build.since, build.before) for build in own.builds]
    assert edges[0][0] is None
    assert edges[-1][1] is None
    assert [before for _, before in edges[:-1]] == [since for since, _ in edges[1:]]


def test_the_planner_has_rules_for_every_known_version() -> None:
    assert len(nvidia_versions()) == 8
    for version in nvidia_versions().values():
        assert rules_for(version).version


def test_every_build_says_where_it_was_read() -> None:
    for maker in makers():
        assert maker.source
        for build in maker.builds:
            assert build.tag or (build.source and build.notes and build.sm)
            assert build.gb10 is not None


@pytest.mark.parametrize("name", [recipe.name for recipe in CATALOG if recipe.repo])
def test_the_guides_image_is_the_default_on_a_spark(name: str) -> None:
    choice = choose_image(CATALOG.get(name), SPARK)
    assert (choice.image, choice.version) == (GUIDES_IMAGE, "0.10.1.1")
    assert "measured" in choice.why


def test_elsewhere_it_is_one_that_was_measured_there() -> None:
    choice = choose_image(BLOCK, H100)
    assert (choice.image, choice.version) == (upstream("0.25.0"), "0.25.0")


def test_what_somebody_sets_wins() -> None:
    choice = choose_image(BLOCK, SPARK, "me/vllm:1")
    assert (choice.image, choice.version, choice.why) == ("me/vllm:1", None, "You set it.")
    assert choose_image(CATALOG.get("demo-qwen3"), CPU, "me/cpu:1").image == "me/cpu:1"


def test_a_cpu_has_no_image_of_its_own() -> None:
    with pytest.raises(EnvironmentFault, match="needs an NVIDIA GPU"):
        choose_image(BLOCK, CPU)
    with pytest.raises(EnvironmentFault, match="No container image is known"):
        choose_image(CATALOG.get("demo-qwen3"), SPARK)


@pytest.mark.parametrize("name", [name for name in machine_names() if name != "cpu"])
@pytest.mark.parametrize("recipe", [recipe.name for recipe in CATALOG if recipe.repo])
def test_what_is_chosen_has_nothing_against_it(name: str, recipe: str) -> None:
    machine, wanted = find_machine(name), CATALOG.get(recipe)
    assert check_image(choose_image(wanted, machine).image, machine, wanted) == ()


@pytest.mark.parametrize("recipe", [recipe.name for recipe in CATALOG if recipe.repo])
@pytest.mark.parametrize("image", [f"{OWN}:latest", OWN, f"{OWN}:v0.19.0", f"{OWN}:v0.20.1"])
def test_every_alternative_works(image: str, recipe: str) -> None:
    wanted = CATALOG.get(recipe)
    for problem in check_image(image, SPARK, wanted):
        assert problem.alternative
        assert check_image(problem.alternative, SPARK, wanted) == ()


def test_latest_is_refused_on_a_spark_with_the_true_reason() -> None:
    (problem,) = check_image(f"{OWN}:latest", SPARK, BLOCK)
    assert problem.refused
    assert problem.alternative == GUIDES_IMAGE
    for said in ("names no version", "before 0.20", "CUDA 12.9", "later ones do"):
        assert said in problem.why
    (elsewhere,) = check_image(f"{OWN}:latest", H100, BLOCK)
    assert (elsewhere.id, elsewhere.refused) == ("unknown-version", False)


@pytest.mark.parametrize(
    ("tag", "bf16", "block", "tensor"),
    [
        ("v0.10.1", ["architecture", "gb10-kernels"], ["architecture", "gb10-kernels"], None),
        ("v0.12.0", ["gb10-kernels"], ["gb10-kernels"], ["gb10-kernels"]),
        ("v0.19.0", ["gb10-kernels"], ["gb10-kernels"], ["gb10-kernels"]),
        ("v0.20.0", [], [], ["gb10-fp8"]),
        ("v0.21.0", [], [], ["gb10-fp8"]),
        ("v0.22.0", [], [], []),
        ("v0.33.0", [], [], []),
    ],
)
def test_the_projects_images_on_a_spark_by_version(
    tag: str, bf16: list[str], block: list[str], tensor: list[str] | None
) -> None:
    image = f"{OWN}:{tag}"
    assert ids(image) == bf16
    assert ids(image, recipe=BLOCK) == block
    assert tensor is None or ids(image, recipe=TENSOR) == tensor


def test_processors_must_agree() -> None:
    assert architecture_of(SPARK) == "arm64"
    assert architecture_of(H100) is None
    assert ids(f"{OWN}:v0.25.0-x86_64") == ["architecture"]
    assert ids(f"{OWN}:v0.25.0-aarch64") == []
    assert ids(f"{OWN}:v0.25.0-aarch64", machine=H100) == []
    assert ids(f"{OWN}:v0.25.0-aarch64", machine=H100, cpu="x86_64") == ["architecture"]
    assert ids(f"{OWN}:v0.25.0-aarch64", machine=H100, cpu="aarch64") == []


def test_gpus_that_are_too_old_or_missing() -> None:
    volta = replace(H100, compute_capability=(7, 0))
    assert ids(f"{OWN}:v0.25.0", machine=volta) == ["gpu-kernels"]
    assert ids(f"{OWN}:v0.19.0", machine=volta) == []
    assert ids(GUIDES_IMAGE, machine=CPU) == ["needs-gpu"]


def test_what_is_not_known_is_a_warning() -> None:
    for image in ("me/vllm:1", f"{OWN}:nightly", f"{NGC}:26.06-py3", f"{OWN}:v0.25.0-cu129"):
        (problem,) = check_image(image, SPARK, BF16)
        assert not problem.refused
    assert ids("me/vllm-cpu:1", machine=CPU, recipe=CATALOG.get("demo-qwen3")) == []
