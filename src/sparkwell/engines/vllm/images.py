"""Container images of vLLM by name: what is in one, as far as is known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from packaging.version import Version

from sparkwell.engines.vllm.image_table import Build, Maker, makers

NVIDIA_REPOSITORY = "nvcr.io/nvidia/vllm"
UPSTREAM_REPOSITORY = "vllm/vllm-openai"
_NAME = re.compile(r"(?P<repository>[^@]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>\S+))?")
_NVIDIA_TAG = re.compile(r"(\d\d\.\d\d)(?:\.\w+)?-py3.*")
_UPSTREAM_TAG = re.compile(r"v?(\d+\.\d+\.\d+(?:\.\d+)?)(?:[.-](.*))?")
_SUFFIXES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_CUDA_SUFFIX = re.compile(r"cu(\d\d)(\d)")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one image.

    ``version`` is vLLM's, ``cuda`` the toolkit's; None is not known. ``architectures`` are Go's
    names, empty where not known. ``maker`` and ``build`` are None for an image that the table
    does not have.
    """

    name: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    version: str | None = None
    cuda: str | None = None
    architectures: tuple[str, ...] = ()
    maker: Maker | None = None
    build: Build | None = None

    @property
    def known(self) -> bool:
        """Whether its repository is in the table."""
        return self.maker is not None

    @property
    def floating(self) -> bool:
        """Whether its tag names whatever was built last: ``latest``, ``nightly``, or none."""
        fixed = self.version or self.digest or (self.build and self.build.tag)
        return self.known and not fixed

    @property
    def entrypoint(self) -> tuple[str, ...] | None:
        """What a container needs as entrypoint to run `vllm serve …` as it is; None: its own.

        The project's images for other devices (vllm-openai-cpu) serve as those in the table do.
        """
        if self.maker is not None:
            return () if self.maker.entrypoint == "serves" else None
        return () if self.repository.split("/")[-1].startswith("vllm-openai") else None


def facts_of(image: str) -> ImageFacts:
    """What is known of an image by its name; for a name that is none, nothing but the name."""
    found = _NAME.fullmatch(image)
    if not found:
        return ImageFacts(image, image)
    repository, tag, digest = found["repository"], found["tag"], found["digest"]
    maker = next((each for each in makers() if _is_of(each, repository)), None)
    if maker is None:
        return ImageFacts(image, repository, tag, digest)
    version, suffix = _version(maker, tag)
    build = _build(maker, tag, version)
    return ImageFacts(
        name=image,
        repository=repository,
        tag=tag,
        digest=digest,
        version=build.vllm or version if build else version,
        cuda=_cuda(suffix) or (build.cuda if build else None),
        architectures=_architectures(maker, build, tag or ""),
        maker=maker,
        build=build,
    )


def version_of(image: str) -> str | None:
    """The version of vLLM in an image, or None: "latest" may be any."""
    return facts_of(image).version


@cache
def nvidia_versions() -> Mapping[str, str]:
    """The version of vLLM in NVIDIA's images, by the month in their tags."""
    builds = next(each for each in makers() if each.repository == NVIDIA_REPOSITORY).builds
    return {build.tag: build.vllm for build in builds if build.tag and build.vllm}


def upstream(version: str) -> str:
    """The image that the vLLM project makes of a version."""
    return f"{UPSTREAM_REPOSITORY}:v{version}"


def _is_of(maker: Maker, repository: str) -> bool:
    """By the last two parts of the name: a mirror's registry stands before them."""
    return repository.split("/")[-2:] == maker.repository.split("/")[-2:]


def _version(maker: Maker, tag: str | None) -> tuple[str | None, str]:
    """The version that a tag names, and what follows it."""
    found = _UPSTREAM_TAG.fullmatch(tag or "")
    if maker.repository == NVIDIA_REPOSITORY or not found:
        return None, ""
    return found[1], found[2] or ""


def _build(maker: Maker, tag: str | None, version: str | None) -> Build | None:
    if version:
        return next((each for each in maker.builds if each.has(Version(version))), None)
    month = _NVIDIA_TAG.fullmatch(tag or "")
    return next((each for each in maker.builds if month and each.tag == month[1]), None)


def _cuda(suffix: str) -> str | None:
    """A tag may name its CUDA: v0.21.0-cu129."""
    found = _CUDA_SUFFIX.search(suffix)
    return f"{found[1]}.{found[2]}" if found else None


def _architectures(maker: Maker, build: Build | None, tag: str) -> tuple[str, ...]:
    """A tag may name one processor: v0.25.1-aarch64."""
    named = next((name for ending, name in _SUFFIXES.items() if tag.endswith(ending)), None)
    if named:
        return (named,)
    return (build.architectures if build else ()) or maker.architectures
