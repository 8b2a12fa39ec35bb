"""Style, scripts and what is vendored: read and packed once, and cached by browsers for ever.

The address holds a hash over all files, so that a new version of Sparkwell has new addresses.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    content_type: str
    plain: bytes
    packed: bytes


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All files by path, and the hash over them."""

    files: Mapping[str, File]
    version: str

    async def serve(self, request: web.Request) -> web.Response:
        """GET /static/VERSION/PATH; an old version gets the new file, and does not keep it."""
        file = self.files.get(request.match_info["path"])
        if file is None:
            raise web.HTTPNotFound
        current = request.match_info["version"] == self.version
        headers = {
            "Cache-Control": _FOR_EVER if current else "no-cache",
            "Vary": "Accept-Encoding",
        }
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = file.packed if packed else file.plain
        return web.Response(
            body=body, content_type=file.content_type, charset="utf-8", headers=headers
        )


@cache
def static_files() -> StaticFiles:
    """The files of this package; read once."""
    found = {}
    total = sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix not in TYPES:
            continue
        content, name = path.read_bytes(), path.relative_to(FOLDER).as_posix()
        total.update(name.encode() + b"\0" + content)
        found[name] = File(TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
    return StaticFiles(found, total.hexdigest()[:12])
