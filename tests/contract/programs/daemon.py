"""A daemon for tests: starts one instance through a driver, says so, and waits to be killed.

Arguments: the driver's root, an instance id, then the engine's command line.
"""

import asyncio
import sys
from pathlib import Path

from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.process import ProcessDriver


async def main() -> None:
    root, instance, *argv = sys.argv[1:]
    driver = ProcessDriver(Path(root))
    spec = LaunchSpec(instance, "m", "tree", "1", tuple(argv), driver.endpoint(instance))
    print("starting", flush=True)
    await driver.start(spec)
    print("started", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
