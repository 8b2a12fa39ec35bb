"""A hub on this machine: the routes of the Hugging Face Hub that its real client uses.

    async with HubServer() as hub:
        hub.add("me/Mine", {"config.json": b"{}", "model.safetensors": tensors})
        ...  # HF_ENDPOINT=hub.endpoint

Large files (``is_large``) are redirected to another origin, as the Hub redirects to its CDN; small
ones to a relative path. ``hub.log`` has every request with the bytes that were sent. From a
shell, for every ORG/NAME below a folder:

    python -m tests.hub_server FOLDER --port 0 --rate 1000000
"""

import argparse
import asyncio
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

PIECE = 64 * 1024
GATED, NO_REPO = "GatedRepo", "RepoNotFound"


@dataclass
class Seen:
    """One request: what was asked, and what came of it. ``sent`` are bytes of the file."""

    method: str
    path: str
    range: str | None
    authorization: str | None
    status: int = 0
    sent: int = 0


@dataclass
class Repo:
    """A repository: files by name, and how it treats who asks."""

    files: dict[str, bytes]
    commit: str
    gated: bool = False
    private: bool = False
    branches: tuple[str, ...] = ("main",)
    large: dict[str, bool] = field(default_factory=dict)
    _checksums: dict[str, tuple[str, str]] = field(default_factory=dict)

    def checksums(self, name: str) -> tuple[str, str]:
        """SHA-256 and git's SHA-1 of a file, computed once."""
        if name not in self._checksums:
            data = self.files[name]
            self._checksums[name] = (sha256(data), git_sha1(data))
        return self._checksums[name]


class HubServer:
    """The server; its attributes say what goes wrong, and may change while it runs.

    ``cuts`` are bytes after which answers for a file break off, one answer after the other.
    ``wrong`` are files that are sent with other bytes than listed, as many times as named.
    ``bare`` leaves sizes and checksums out of the listing, as some mirrors do.
    """

    def __init__(self, rate_bytes_per_s: float | None = None) -> None:
        self.repos: dict[str, Repo] = {}
        self.tokens: dict[str, bool] = {}  # known tokens: whether they were let in to what is gated
        self.log: list[Seen] = []
        self.cuts: dict[str, list[int]] = {}
        self.wrong: dict[str, int] = {}
        self.refuse: dict[str, tuple[int, str]] = {}  # by file name: a status and X-Error-Code
        self.answer_ranges = True
        self.bare = False
        self.page = ""
        self.rate_bytes_per_s = rate_bytes_per_s
        self.endpoint = self._cdn = ""

    def add(self, repo: str, files: dict[str, bytes], **how: Any) -> Repo:
        """Serve a repository; its commit follows from its files."""
        named = sorted((name, sha256(data)) for name, data in files.items())
        commit = hashlib.sha1(repr(named).encode()).hexdigest()  # noqa: S324
        self.repos[repo] = Repo(dict(files), commit, **how)
        return self.repos[repo]

    def add_folder(self, folder: Path) -> None:
        """Serve every ORG/NAME below a folder."""
        for repo in sorted(folder.glob("*/*/")):
            files = {
                str(path.relative_to(repo)): path.read_bytes()
                for path in sorted(repo.rglob("*"))
                if path.is_file()
            }
            self.add(str(repo.relative_to(folder)), files)

    def bytes_sent(self, name: str = "") -> int:
        """Bytes of files whose path ends so that were sent until now."""
        return sum(seen.sent for seen in self.log if seen.path.endswith(name))

    async def __aenter__(self) -> "HubServer":
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=1)
        app.router.add_get("/api/models/{repo:[^/]+/[^/]+}/revision/{revision}", self._info)
        app.router.add_get("/api/models/{repo:[^/]+/[^/]+}/tree/{revision}", self._tree)
        app.router.add_get("/api/models/{repo:[^/]+/[^/]+}", self._info)
        app.router.add_get("/api/resolve-cache/models/{repo:[^/]+/[^/]+}/{rest:.+}", self._cached)
        app.router.add_get("/{repo:[^/]+/[^/]+}/resolve/{revision}/{name:.+}", self._resolve)
        app.router.add_get("/cdn/{repo:[^/]+/[^/]+}/{name:.+}", self._from_cdn)
        app.router.add_route("*", "/{rest:.*}", self._nothing)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        for each in (port, 0):  # the second one is the CDN's: another origin
            await web.TCPSite(self._runner, "127.0.0.1", each).start()
        self.endpoint, self._cdn = (f"http://{host}:{port}" for host, port in self._addresses())

    def _addresses(self) -> list[tuple[str, int]]:
        return [(address[0], address[1]) for address in self._runner.addresses]

    # ── routes ──────────────────────────────────────────────────────────────────────────────

    async def _info(self, request: web.Request) -> web.StreamResponse:
        seen = self._seen(request)
        if self.page:
            return self._said(seen, web.Response(text=self.page))
        repo, refusal = self._repo(request, listing=True)
        if repo is None or refusal:
            return self._said(seen, refusal or web.Response(status=500))
        siblings = [self._sibling(repo, name) for name in repo.files]
        about = {"_id": "1", "id": request.match_info["repo"], "sha": repo.commit}
        return self._said(seen, web.json_response({**about, "siblings": siblings}))

    async def _tree(self, request: web.Request) -> web.StreamResponse:
        seen = self._seen(request)
        repo, refusal = self._repo(request, listing=True)
        if repo is None or refusal:
            return self._said(seen, refusal or web.Response(status=500))
        entries = [self._entry(repo, name) for name in repo.files]
        return self._said(seen, web.json_response(entries))

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        seen, name = self._seen(request), request.match_info["name"]
        repo, refusal = self._repo(request)
        if name in self.refuse:
            status, code = self.refuse[name]
            refusal = web.Response(status=status, headers={"X-Error-Code": code} if code else {})
        if repo is None or refusal:
            return self._said(seen, refusal or web.Response(status=500))
        if name not in repo.files:
            return self._said(
                seen, web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
            )
        return self._said(seen, self._redirect(request, repo, name))

    def _redirect(self, request: web.Request, repo: Repo, name: str) -> web.Response:
        data, path = repo.files[name], request.match_info["repo"]
        headers = {"X-Repo-Commit": repo.commit}
        if self.is_large(repo, name):
            headers |= {
                "X-Linked-Etag": f'"{repo.checksums(name)[0]}"',
                "X-Linked-Size": str(len(data)),
                "Location": f"{self._cdn}/cdn/{path}/{name}?signature=x",
            }
            return web.Response(status=302, headers=headers)
        place = f"/api/resolve-cache/models/{path}/{repo.commit}/{name}"
        headers |= {"ETag": f'"{repo.checksums(name)[1]}"', "Location": place}
        return web.Response(status=307, headers=headers)

    async def _cached(self, request: web.Request) -> web.StreamResponse:
        seen = self._seen(request)
        repo = self.repos[request.match_info["repo"]]
        _commit, _, name = request.match_info["rest"].partition("/")
        headers = {"X-Repo-Commit": repo.commit, "ETag": f'"{repo.checksums(name)[1]}"'}
        return await self._send(request, seen, name, repo.files[name], headers)

    async def _from_cdn(self, request: web.Request) -> web.StreamResponse:
        """Signed addresses, as those of the Hub, refuse a request that has a token as well."""
        seen = self._seen(request)
        if seen.authorization:
            return self._said(seen, web.Response(status=400, text="only one way to authenticate"))
        name = request.match_info["name"]
        data = self.repos[request.match_info["repo"]].files[name]
        return await self._send(request, seen, name, data, {})

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        return self._said(self._seen(request), web.Response(status=404))

    # ── what they are made of ───────────────────────────────────────────────────────────────

    def is_large(self, repo: Repo, name: str) -> bool:
        return repo.large.get(name, name.endswith((".safetensors", ".bin", ".model", ".gguf")))

    def _seen(self, request: web.Request) -> Seen:
        headers = request.headers
        seen = Seen(
            request.method, request.path, headers.get("Range"), headers.get("Authorization")
        )
        self.log.append(seen)
        return seen

    def _said(self, seen: Seen, answer: web.Response) -> web.Response:
        seen.status = answer.status
        return answer

    def _repo(
        self, request: web.Request, *, listing: bool = False
    ) -> tuple[Repo | None, web.Response | None]:
        """The repository that is asked for, or how it is refused."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            return None, _refusal(401, "", "Invalid credentials in Authorization header")
        repo = self.repos.get(request.match_info["repo"])
        if repo is None or (repo.private and not token):
            return None, _refusal(404 if token else 401, NO_REPO, "Repository not found")
        revision = request.match_info.get("revision", "main")
        if revision not in (*repo.branches, repo.commit):
            return None, _refusal(404, "RevisionNotFound", "Invalid rev id")
        if repo.gated and not listing and not self.tokens.get(token, False):
            return None, _refusal(403 if token else 401, GATED, "Access to model is restricted")
        return repo, None

    def _sibling(self, repo: Repo, name: str) -> dict[str, Any]:
        if self.bare:
            return {"rfilename": name}
        entry = self._entry(repo, name)
        about = {"rfilename": name, "size": entry["size"], "blobId": entry["oid"]}
        if lfs := entry.get("lfs"):
            about["lfs"] = {"sha256": lfs["oid"], **lfs}
        return about

    def _entry(self, repo: Repo, name: str) -> dict[str, Any]:
        data, (sha, git) = repo.files[name], repo.checksums(name)
        entry = {"type": "file", "path": name, "size": len(data), "oid": git}
        if not self.is_large(repo, name):
            return entry
        return entry | {"lfs": {"oid": sha, "size": len(data), "pointerSize": 134}}

    async def _send(
        self, request: web.Request, seen: Seen, name: str, data: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        begin = request.http_range.start or 0 if self.answer_ranges else 0
        if begin > len(data):
            return self._said(seen, web.Response(status=416))
        seen.status = 206 if seen.range and self.answer_ranges else 200
        if seen.status == 206:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        answer = web.StreamResponse(status=seen.status, headers=headers)
        answer.content_length = len(data) - begin
        await answer.prepare(request)
        if request.method == "GET":
            with suppress(ConnectionError):  # the client left
                await self._pieces(
                    request, answer, seen, name, self._maybe_wrong(name, data)[begin:]
                )
        return answer

    def _maybe_wrong(self, name: str, data: bytes) -> bytes:
        if self.wrong.get(name, 0) == 0:
            return data
        self.wrong[name] -= 1
        return bytes([data[0] ^ 1]) + data[1:]

    async def _pieces(
        self,
        request: web.Request,
        answer: web.StreamResponse,
        seen: Seen,
        name: str,
        data: bytes,
    ) -> None:
        cut = self.cuts[name].pop(0) if self.cuts.get(name) else len(data)
        size = PIECE if self.rate_bytes_per_s is None else max(1, int(self.rate_bytes_per_s / 50))
        for begin in range(0, min(cut, len(data)), size):
            piece = data[begin : min(begin + size, cut)]
            await answer.write(piece)
            seen.sent += len(piece)
            if self.rate_bytes_per_s:
                await asyncio.sleep(len(piece) / self.rate_bytes_per_s)
        if cut < len(data) and request.transport:
            await asyncio.sleep(0.05)  # let what was written leave
            request.transport.close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324


def _refusal(status: int, code: str, message: str) -> web.Response:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return web.Response(status=status, headers=headers)


@contextmanager
def served(hub: HubServer) -> Iterator[HubServer]:
    """Run a server in a thread, for tests that have no event loop of their own."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with hub:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(10)
    try:
        yield hub
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _serve(folder: Path, port: int, rate: float | None) -> None:
    hub = HubServer(rate)
    hub.add_folder(folder)
    await hub.start(port)
    print(hub.endpoint, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve ORG/NAME folders as the Hub does.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=None, help="bytes a second, each answer")
    chosen = parser.parse_args()
    asyncio.run(_serve(chosen.folder, chosen.port, chosen.rate))


if __name__ == "__main__":
    main()
