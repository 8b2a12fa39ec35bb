"""The container image: whether it is here, and can work on this machine."""

from collections.abc import Iterator

from sparkwell.checks.about import MODEL
from sparkwell.checks.check import Check
from sparkwell.checks.docker_parts import Image
from sparkwell.checks.model_parts import Request
from sparkwell.checks.say import info, ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.checks.start_about import IMAGE_MISSING
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import file_size

MISSING, WRONG = "image-missing", "image-wrong"
# What `uname -m` says, in Docker's words.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def image_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """The image is here, or can be pulled."""
    image, request = _image(snapshot), snapshot.request
    if request and request.driver == "compose" and image is None:
        yield from _none_known(snapshot, request)
    if image is None or image.present is None:
        return
    if image.present:
        size = (file_size(image.size_bytes),) if image.size_bytes else ()
        digest = (image.digest,) if image.digest else ()
        yield ok(MISSING, f"Image {image.name} is here", *size, *digest)
        return
    pull = Remedy("Pull it beforehand; `sparkwell up` does it too.", f"docker pull {image.name}")
    if image.pullable is False:
        yield Finding(
            MISSING,
            Severity.ERROR,
            f"Image {image.name} is not here, and its registry does not give it",
            remedies=(Remedy("See what the registry says.", f"docker pull {image.name}"),),
        )
        return
    yield info(MISSING, f"Image {image.name} is not here yet: it will be pulled", remedies=(pull,))


def _none_known(snapshot: Snapshot, request: Request) -> Iterator[Finding]:
    if any(gap.part == "image" for gap in snapshot.gaps):
        return
    yield Finding(
        MISSING,
        Severity.ERROR,
        f"No container image is known for {request.model}",
        evidence=(f"containers.images.{request.environment} is not set in sparkwell.yaml",),
        remedies=(Remedy("Name one.", f"sparkwell up {request.model} --image IMAGE"),),
    )


def image_wrong(snapshot: Snapshot) -> Iterator[Finding]:
    """The image is built for this machine's processor, and its engine for this GPU."""
    image, system = _image(snapshot), snapshot.system
    if image is None:
        return
    if image.refusal:
        yield _refused(snapshot, image)
        return
    if image.doubts:
        yield _doubtful(snapshot, image)
    host = ARCHITECTURES.get(system.architecture or "") if system else None
    if host is None or image.architecture is None:
        return
    if image.architecture == host:
        yield ok(WRONG, f"The image is built for {host}, as this machine is")
        return
    yield Finding(
        WRONG,
        Severity.ERROR,
        f"The image is built for {image.architecture}, this machine is {host}",
        evidence=(image.name,),
        remedies=(for_this_machine(f"linux/{host}", image.name),),
    )


def for_this_machine(platform: str, image: str) -> Remedy:
    """How to get the image's build for a platform ("linux/arm64")."""
    return Remedy(
        "Pull the one for this machine, if its maker has it.",
        f"docker pull --platform {platform} {image}",
    )


def _refused(snapshot: Snapshot, image: Image) -> Finding:
    model = snapshot.request.model if snapshot.request else "MODEL"
    other = image.instead
    instead = (
        Remedy(f"Take {other}.", f"sparkwell up {model} --image {other}") if other else
        Remedy("Take another image.", f"sparkwell up {model} --image IMAGE")
    )  # fmt: skip
    return Finding(
        WRONG,
        Severity.ERROR,
        f"Image {image.name} cannot work on this machine",
        evidence=(image.refusal or "",),
        remedies=(instead,),
    )


def _doubtful(snapshot: Snapshot, image: Image) -> Finding:
    model = snapshot.request.model if snapshot.request else "MODEL"
    return Finding(
        WRONG,
        Severity.WARNING,
        f"Image {image.name} may not work on this machine",
        evidence=image.doubts,
        remedies=(known_image(model),),
    )


def known_image(model: str = MODEL) -> Remedy:
    """How to run a model from an image that is known to work here."""
    return Remedy(
        "Leave out --image, and the image in the settings: one that is known to work here is "
        "chosen then.",
        f"sparkwell up {model}",
    )


def _image(snapshot: Snapshot) -> Image | None:
    wanted = snapshot.request is not None and snapshot.request.driver == "compose"
    return snapshot.image if wanted else None


CHECKS = (
    Check(MISSING, "Is the container image here, or will it be pulled?", image_missing,
          IMAGE_MISSING),
    Check(WRONG, "Is the image built for this machine and this GPU?", image_wrong),
)  # fmt: skip
