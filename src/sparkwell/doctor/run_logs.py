"""The log of a run, as the checks see it: through rotation, piece by piece, never held whole."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sparkwell.checks.host_parts import EngineKind
from sparkwell.checks.logs.digest import digest, digest_bytes
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.doctor.background import in_background
from sparkwell.drivers.process.follower import LogReader

_KINDS: dict[str, EngineKind] = {"vllm": "vllm", "ollama": "ollama"}


async def read_run_log(driver: Driver, spec: LaunchSpec, limit_s: float) -> LogDigest:
    """The digest of a run's log; a container that lives is asked, all else is a file.

    Raises TimeoutError, SparkwellError and OSError.
    """
    path = Path(driver.log_path(spec.instance))
    if await in_background(path.is_file, limit_s):
        pieces = pieces_of(path, limit_s)
        return await in_background(
            lambda: of_run(digest_bytes(pieces, spec.instance), spec), limit_s
        )
    lines, rest = await driver.written(spec.instance)
    said = [*lines, *rest]
    return await in_background(lambda: of_run(digest(said, spec.instance), spec), limit_s)


def of_run(found: LogDigest, spec: LaunchSpec) -> LogDigest:
    """The digest of a run: what the log does not say of its engine, the run does."""
    return replace(
        found,
        instance=spec.instance,
        model=spec.model,
        engine=found.engine or _KINDS.get(spec.engine),
        version=found.version or spec.engine_version,
    )


def pieces_of(log: Path, limit_s: float) -> Iterator[bytes]:
    """What stands in a log and in its elder files, in its order; raises OSError.

    Raises TimeoutError after ``limit_s``: nobody waits for the digest any more, and a thread that
    went on would slow down all others of a daemon.
    """
    reader, until_s = LogReader(log, from_start=True), time.monotonic() + limit_s
    try:
        for piece in iter(reader.read, b""):
            if time.monotonic() > until_s:
                raise TimeoutError(f"{log.name} was not read within {limit_s:g} s")
            yield piece
    finally:
        reader.close()
