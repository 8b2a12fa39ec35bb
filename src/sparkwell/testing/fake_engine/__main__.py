"""Runs the fake engine: reads what it shall do, loads, serves, ends."""

import asyncio
import os
import sys

from sparkwell.testing.fake_engine import ENVIRONMENT_VARIABLE
from sparkwell.testing.fake_engine.arguments import EngineArguments, engine_arguments, split_flags
from sparkwell.testing.fake_engine.life import FakeEngine
from sparkwell.testing.fake_engine.reading import read_script
from sparkwell.testing.fake_engine.script import Script
from sparkwell.testing.fake_engine.starts import this_start

WRONG_USAGE = 2


def main(argv: list[str]) -> int:
    """Run until the script or a signal ends it; return the exit status."""
    try:
        arguments, script = read(argv, os.environ.get(ENVIRONMENT_VARIABLE))
        script = this_start(script)
    except ValueError as error:
        print(f"fake_engine: {error}", file=sys.stderr)
        return WRONG_USAGE
    if script.exit_code_at_once is not None:
        return script.exit_code_at_once
    return asyncio.run(FakeEngine(arguments, script).run())


def read(argv: list[str], environment: str | None) -> tuple[EngineArguments, Script]:
    """Read what was asked for; ValueError when it makes no sense."""
    flags = split_flags(argv)
    return engine_arguments(flags), read_script(flags, environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
