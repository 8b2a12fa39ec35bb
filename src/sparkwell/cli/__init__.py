"""The command line: parse, call, render.

Commands are imported when they are used, so that `sparkwell plan` does not wait for a web
server. `--json` prints one JSON document on stdout and nothing else; errors go to stderr.
"""

from sparkwell.cli.main import main

__all__ = ["main"]
