"""A Docker daemon of a test's own, which may be killed: nothing of the machine's is touched.

Run under `unshare --net --mount`. Arguments: a folder for all that it has, its socket, and the
size of its disk, where that is to be small (as tmpfs takes it: 24m).
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def raise_loopback() -> None:
    """Ports are published on 127.0.0.1; in a new network namespace `lo` is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def make_disk(data: Path, size: str) -> None:
    """A disk in memory, seen by this daemon alone."""
    data.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(data)], check=True)


def main() -> None:
    folder, address = Path(sys.argv[1]), sys.argv[2]
    for size in sys.argv[3:]:
        make_disk(folder / "data", size)
    config = folder / "daemon.json"
    config.write_text("{}")
    raise_loopback()
    os.execvp("dockerd", [  # noqa: S606
        "dockerd", "--config-file", str(config), "-H", f"unix://{address}",
        "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
        "--pidfile", str(folder / "pid"), "--bridge=none", "--iptables=false",
        "--ip6tables=false", "--default-address-pool", "base=10.213.0.0/16,size=24",
    ])  # fmt: skip


main()
