"""Prints what the candidates cost before any request: imports, space on disk, lines of code."""

from pathlib import Path

import measure

_CANDIDATES = Path(__file__).parent / "candidates"
_LIBRARIES = {
    "aiohttp_aiohttp": ("asyncio, aiohttp.web", ("aiohttp",)),
    "starlette_httpx": (
        "asyncio, uvicorn, httptools, starlette.applications, starlette.responses, httpx",
        ("uvicorn", "httptools", "starlette", "httpx", "sniffio"),
    ),
    "starlette_aiohttp": (
        "asyncio, uvicorn, httptools, starlette.applications, starlette.responses, aiohttp",
        ("uvicorn", "httptools", "starlette", "aiohttp"),
    ),
    "granian_starlette_aiohttp": (
        "asyncio, granian, starlette.applications, starlette.responses, aiohttp",
        ("granian", "starlette", "aiohttp"),
    ),
    "httptools_raw": ("asyncio, httptools", ("httptools",)),
}


def main() -> None:
    """Print one line a candidate."""
    print("| candidate | import ms | installed MB | distributions | lines |")
    print("|---|---|---|---|---|")
    for name, (modules, distributions) in _LIBRARIES.items():
        seconds = measure.import_seconds(modules)
        size, count = measure.installed_mb(*distributions)
        lines = measure.code_lines(_CANDIDATES / f"{name}.py")
        print(f"| {name} | {seconds * 1e3:.0f} | {size:.1f} | {count} | {lines} |")
    print(f"uvloop adds {measure.installed_mb('uvloop')[0]:.1f} MB")


if __name__ == "__main__":
    main()
