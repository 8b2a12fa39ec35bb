"""Keys and usage: asked of the daemon, or, where none runs, of the store itself."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Literal

from sparkwell.cli.client import AdminClient, Json, NoDaemonError
from sparkwell.cli.context import Context

if TYPE_CHECKING:
    from sparkwell.admin.bodies import Body
    from sparkwell.admin.keys import UsageWanted
    from sparkwell.app.keys.service import KeyService

Change = Literal["add", "rotate", "revoke", "reset"]


async def change(context: Context, what: Change, body: "Body") -> Json:
    """Change keys; with a daemon the gateway knows at once."""
    try:
        async with AdminClient(context.paths) as daemon:
            return await daemon.post(f"keys/{what}", body.model_dump())
    except NoDaemonError:
        with _keeping(context) as service:
            return dict(_here(service, what, body))


async def all_keys(context: Context) -> Json:
    """The keys; raises KeysBrokenError where they are lost."""
    from sparkwell.app.keys.errors import keys_broken
    from sparkwell.app.keys.reading import FileKeys

    try:
        async with AdminClient(context.paths) as daemon:
            found = await daemon.get("keys")
    except NoDaemonError:
        found = dict(FileKeys(context.paths, _named(context)).keys())
    if found["standing"] == "broken":
        raise keys_broken(context.paths.store, context.paths.keys_marker)
    return found


async def used(context: Context, wanted: "UsageWanted") -> Json:
    """What was used."""
    from urllib.parse import urlencode

    from sparkwell.app.keys.reading import FileKeys

    try:
        async with AdminClient(context.paths) as daemon:
            query = urlencode(wanted.model_dump(exclude_none=True))
            return await daemon.get(f"usage?{query}")
    except NoDaemonError:
        return dict(FileKeys(context.paths, _named(context)).usage(wanted))


@contextmanager
def _keeping(context: Context) -> Iterator["KeyService"]:
    """The keys of a daemon that does not run; nobody starts one meanwhile."""
    from sparkwell.app.keys.keeper import KeyKeeper
    from sparkwell.app.keys.service import KeyService
    from sparkwell.app.lock import held
    from sparkwell.store import Store

    paths = context.paths
    paths.make()
    with held(paths.lock), closing(Store(paths.store)) as store:
        keeper = KeyKeeper(store, paths.store, paths.keys_marker)
        yield KeyService(keeper, _named(context))


def _here(service: "KeyService", what: Change, body: "Body") -> Json:
    from sparkwell.admin.keys import AddKeyBody, RevokeKeyBody, RotateKeyBody

    match body:
        case AddKeyBody():
            return dict(service.add_key(body))
        case RotateKeyBody():
            return dict(service.rotate_key(body))
        case RevokeKeyBody():
            return dict(service.revoke_key(body.key))
        case _:
            assert what == "reset"  # noqa: S101 - the one that takes nothing
            return dict(service.reset_keys())


def _named(context: Context) -> Callable[[str], str]:
    return lambda name: context.models.served(name).name
