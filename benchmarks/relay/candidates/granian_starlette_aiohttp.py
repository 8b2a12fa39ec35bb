"""granian (Rust) and starlette serve, aiohttp asks: the application of starlette_aiohttp."""

import sys

from granian import Granian
from granian.constants import Interfaces, Loops

if __name__ == "__main__":
    Granian(
        "starlette_aiohttp:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        loop=Loops(sys.argv[2]),
        websockets=False,
        log_enabled=False,
    ).serve()
