"""What the host and its GPU say of themselves."""

import os
import subprocess
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

MIB = 2**20
RELEASED_WITHIN_S = 60.0


def forget_pages(folder: Path) -> None:
    """Let the kernel drop the checkpoint's pages, as if it had not been read for long."""
    os.sync()
    for file in folder.iterdir():
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def nvidia_smi(what: str) -> str | None:
    """One figure of the first GPU; None without one."""
    argv = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return text.splitlines()[0].strip()


def gpu_used_bytes() -> int | None:
    """Memory of the GPU that is in use."""
    text = nvidia_smi("memory.used")
    return int(text) * MIB if text and text.isdigit() else None


def until_released(least_bytes: int = 1024 * MIB) -> float | None:
    """Seconds until the GPU's memory was back, looked at after the end; None if it never was."""
    began_s = time.monotonic()
    while (used := gpu_used_bytes()) is not None and used > least_bytes:
        if time.monotonic() - began_s > RELEASED_WITHIN_S:
            return None
        time.sleep(0.2)
    return round(time.monotonic() - began_s, 1)


def host_used_bytes() -> int:
    """What the host cannot give: MemTotal less MemAvailable, so that page cache does not count.

    The difference, as the total itself grows on a virtual machine that gets memory on demand.
    """
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kibibytes["MemTotal"] - kibibytes["MemAvailable"]) * 1024


def installed(name: str) -> str | None:
    """The version of a distribution, if it is there."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return None
