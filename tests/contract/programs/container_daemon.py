"""A daemon for tests: starts one container through the compose driver, and waits to be killed.

Arguments: the driver's root and Compose project, then the spec as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from sparkwell.drivers.compose import ComposeDriver
from sparkwell.drivers.process.records import spec_from_json


async def main() -> None:
    root, project, spec = sys.argv[1:]
    driver = ComposeDriver(Path(root), project=project)
    print("starting", flush=True)
    await driver.start(spec_from_json(json.loads(spec)))
    print("started", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
