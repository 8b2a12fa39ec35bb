"""Starting the download process, following it, and ending it."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO

from sparkwell.core.errors import SparkwellError
from sparkwell.drivers.download.messages import (
    DownloadFault,
    DownloadRequest,
    Fetched,
    Progress,
    read_message,
    write_request,
)
from sparkwell.drivers.hub_token import Token

MODULE = "sparkwell.drivers.download"
_NAMES = frozenset({
    "HOME", "LANG", "PATH", "TMPDIR", "TZ", "USER", "XDG_CACHE_HOME",
    "SSL_CERT_DIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LD_LIBRARY_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "TRANSFORMERS_OFFLINE",
    "SPARKWELL_HOME",  # says whose process it is to who looks for leftovers
})  # fmt: skip
_PREFIXES = ("HF_", "HUGGING_FACE_", "LC_", "COVERAGE_")
# Progress goes over stdout. Xet is not used: docs/decisions/0012-download.md says why.
_OURS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",
    "PYTHONUNBUFFERED": "1",
}
_LAST_LINES = 8


async def fetch(
    request: DownloadRequest,
    on_progress: Callable[[Progress], None],
    *,
    environ: Mapping[str, str] | None = None,
    token: Token | None = None,
) -> Fetched:
    """Make a repository whole in a cache folder, and return its snapshot.

    Runs in a process of its own, which ends with this call, also when that is cancelled; what it
    has fetched stays, and the next call goes on from there. Raises SparkwellError.
    """
    variables = child_environment(os.environ if environ is None else environ, token)
    async with _process(variables) as (process, said):
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError, ConnectionResetError):  # it died; its last words say why
            process.stdin.write(write_request(request))
            await process.stdin.drain()
        process.stdin.close()
        async for line in process.stdout:
            match read_message(line):
                case Progress() as progress:
                    on_progress(progress)
                case Fetched() as fetched:
                    return fetched
                case SparkwellError() as error:
                    raise error
        raise _ended(await process.wait(), said, token)


def child_environment(environ: Mapping[str, str], token: Token | None) -> dict[str, str]:
    """What the process may see: the Hub's variables, proxies, certificates, and the token. Pure."""
    kept = {name: value for name, value in environ.items() if _is_kept(name)}
    return {**kept, **_OURS, **({"HF_TOKEN": token.value} if token else {})}


def _is_kept(name: str) -> bool:
    if name.endswith("_proxy"):
        return name.upper() in _NAMES
    return name in _NAMES or name.startswith(_PREFIXES)


@asynccontextmanager
async def _process(
    variables: dict[str, str],
) -> AsyncIterator[tuple[asyncio.subprocess.Process, IO[bytes]]]:
    """The process, in a session of its own so that Ctrl-C is ours to handle, and its stderr."""
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            env=variables,
            start_new_session=True,
        )
        try:
            yield process, said
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


def _ended(code: int, said: IO[bytes], token: Token | None) -> DownloadFault:
    """It ended without a last message: somebody killed it, or a fault of ours."""
    said.seek(0)
    text = said.read().decode(errors="replace")
    if token:
        text = text.replace(token.value, "(token)")
    lines = "\n".join(f"  {line}" for line in text.strip().splitlines()[-_LAST_LINES:])
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return DownloadFault(
        "download_ended",
        f"The download ended before it was done ({how}).{lines and chr(10)}{lines}",
        hint="Run the same command again: it goes on where it stopped.",
    )
