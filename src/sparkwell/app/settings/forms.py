"""The forms of single settings: image references, mounts, models to start, hosts, origins."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from sparkwell.catalog.ollama import is_ollama, parse_ollama
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Mount
from sparkwell.hardware.quantities import size as bytes_of

_LONGEST = 255
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
# The grammar of github.com/distribution/reference.
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_-]+)*", re.ASCII)
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII
)
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def is_image(text: str) -> bool:
    """Whether this can be the name of a container image."""
    return len(text) <= _LONGEST and bool(_IMAGE.fullmatch(text))


def parse_mount(text: str) -> Mount:
    """The mount of SOURCE:TARGET or SOURCE:TARGET:ro; raises ValueError that says what is wrong.

    SOURCE begins with / or ~ or a dot: Docker takes a bare name for one of its own volumes.
    """
    source, target, mode = (*text.split(":"), "", "", "")[:3]
    if text.count(":") not in (1, 2) or mode not in ("", "ro", "rw"):
        raise ValueError("expected SOURCE:TARGET or SOURCE:TARGET:ro")
    if not source.startswith(("/", "~", ".")):
        raise ValueError("the source is a folder of this machine: /folder, ~/folder or ./folder")
    if not target.startswith("/") or ".." in PurePosixPath(target).parts or target.strip("/") == "":
        raise ValueError("the target is an absolute folder in the container, and not / itself")
    return Mount(source, target, read_only=mode == "ro")


def written(mount: Mount) -> str:
    """A mount as the settings have it."""
    return f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"


def parse_start(text: str) -> tuple[str, int | None]:
    """The model and the bytes of an entry of ``start``; raises ValueError.

    Bytes are None unless it is ``ollama/NAME=SIZE``.
    """
    if not is_ollama(text):
        if "=" in text:
            raise ValueError("only Ollama's models take a size: ollama/NAME=20GiB")
        return text, None
    name, given, amount = text.partition("=")
    try:
        model = str(parse_ollama(name))
    except UsageError as error:
        raise ValueError(str(error)) from None
    return model, _bytes(amount) if given else None


def _bytes(amount: str) -> int:
    try:
        count = int(str(bytes_of(amount)))
    except ValueError:
        count = 0
    if count <= 0:
        raise ValueError(f"{amount!r} is no size; it is written as 20GiB or 21.5GB")
    return count


def _image(text: str) -> str:
    if not is_image(text):
        raise ValueError("expected an image, such as nvcr.io/nvidia/vllm:25.09-py3")
    return text


def _mount(text: str) -> str:
    return written(parse_mount(text))


def _start(text: str) -> str:
    parse_start(text)
    return text


def _folder(text: str) -> str:
    if not text.strip() or "\0" in text or ":" in text:
        raise ValueError("expected a folder; a colon would end it in a container's mount")
    return text


def _file(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError("expected a file")
    return text


def _host_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not _NAME.fullmatch(name):
        raise ValueError("expected a host name alone, such as spark.home.example")
    return name


def _origin(text: str) -> str:
    """As browsers send it. Neither * nor null is taken: a page of anybody's can have that."""
    origin = text.lower().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("expected scheme and host of a page, such as https://chat.example:8443")
    return origin.removesuffix(_USUAL_PORTS.get(origin.partition(":")[0], ""))


def _off(value: Any) -> Any:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


File = Annotated[str, AfterValidator(_file)]
HostName = Annotated[str, AfterValidator(_host_name)]
Origin = Annotated[str, AfterValidator(_origin)]
AccessLog = Annotated[Literal["off", "text", "json"], BeforeValidator(_off)]
Image = Annotated[str, AfterValidator(_image)]
MountText = Annotated[str, AfterValidator(_mount)]
StartText = Annotated[str, AfterValidator(_start)]
Folder = Annotated[str, AfterValidator(_folder)]
