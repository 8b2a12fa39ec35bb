"""Ollama's Compose service, as the guides describe it."""

from sparkwell.core.launch import Container, Mount
from sparkwell.engines.compose.draft import Draft
from sparkwell.engines.compose.service import ANY_ADDRESS, Service
from sparkwell.engines.ollama.launch import PORT
from sparkwell.engines.ollama.server import KEEP_ALIVE

# Ran on a DGX Spark: huggingface.co/nvidia/Qwen3.6-27B-NVFP4, discussion 11. The guides name none.
IMAGE = "ollama/ollama:0.30.11"
NAME = "ollama"
FOLDER = "/opt/ollama"
STORE = "/root/.ollama"
PROBE = ("ollama", "list")


def ollama_draft(image: str = IMAGE, *, folder: str = FOLDER, gpus: bool = True) -> Draft:
    """Port 11434, models in ``folder``, unloaded 30 minutes after their last use."""
    container = Container(
        image=image, name=NAME, port=PORT, mounts=(Mount(folder, STORE),), gpus=gpus
    )
    service = Service(
        name=NAME,
        container=container,
        environment={"OLLAMA_KEEP_ALIVE": KEEP_ALIVE},
        ports={PORT: PORT},
        address=ANY_ADDRESS,
        restart="unless-stopped",
    )
    return Draft(service, probe=PROBE)
