"""Which version of vLLM a container image has, as its maker's release notes say."""

import re
from collections.abc import Mapping

# docs.nvidia.com, release notes rel-YY-MM of the vLLM container.
NVIDIA: Mapping[str, str] = {
    "25.09": "0.10.1.1",
    "25.10": "0.10.2",
    "26.01": "0.11.1",
    "26.02": "0.15.1",
    "26.03": "0.17.1",
    "26.04": "0.19.0",
    "26.05": "0.20.1",
    "26.10": "0.31.0",
}
_NVIDIA_TAG = re.compile(r"/nvidia/vllm:(\d\d\.\d\d)(?:\.\w+)?-py3$")
_UPSTREAM_TAG = re.compile(r"vllm/vllm-openai:v(\d+\.\d+\.\d+(?:\.\d+)?)")


def version_of(image: str) -> str | None:
    """The version of vLLM in an image, or None: "latest" may be any."""
    found = _NVIDIA_TAG.search(image)
    if found:
        return NVIDIA.get(found[1])
    upstream = _UPSTREAM_TAG.search(image)
    return upstream[1] if upstream else None
