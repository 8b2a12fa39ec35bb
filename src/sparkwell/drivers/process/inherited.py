"""The few variables that an engine inherits from the daemon. Pure.

Never the whole environment: the daemon's may hold API keys, admin keys and a virtual
environment's PYTHONPATH, and an engine must start the same way whoever started the daemon.
"""

from collections.abc import Mapping

from sparkwell.hardware.visible import choice

NAMES = frozenset({
    "HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER",
    "SSL_CERT_DIR", "SSL_CERT_FILE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
})  # fmt: skip
PREFIXES = ("CUDA_", "LC_", "NVIDIA_")
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"  # without PATH no program is found at all


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick what an engine may inherit; proxies are also known by their names in lower case."""
    chosen = {name: value for name, value in environ.items() if _is_inherited(name)}
    return {"PATH": DEFAULT_PATH} | chosen | choice(environ)


def _is_inherited(name: str) -> bool:
    if name.endswith("_proxy"):
        return name.upper() in NAMES
    return name in NAMES or name.startswith(PREFIXES)
