"""The dashboard put together: its services, who may see it, and the names that it answers to."""

from pathlib import Path

from aiohttp import web

from sparkwell.admin.api import Control
from sparkwell.app.admin_key import AdminKey
from sparkwell.app.daemon.building import Built
from sparkwell.app.dashboard.catalog import CatalogPages
from sparkwell.app.dashboard.keys import DashboardKeys
from sparkwell.app.dashboard.logs import Logs
from sparkwell.app.dashboard.services import DashboardServices
from sparkwell.app.editing.editing import Editing
from sparkwell.app.keys.errors import keys_broken
from sparkwell.app.keys.own_key import OwnKey
from sparkwell.app.listener.exposure import own_names
from sparkwell.app.settings.config import Settings
from sparkwell.drivers.image_digests import local_digest
from sparkwell.web.access import Access, Sessions
from sparkwell.web.dashboard import dashboard


def make_dashboard(
    built: Built, control: Control, file: Path, own: OwnKey | None = None
) -> web.Application:
    """The application below /ui. ``file`` is the settings file, which it may change.

    ``own`` is the daemon's own key; without one the dashboard gets one for itself.
    """
    services = services_of(built, control, file, own)
    access = Access(AdminKey(built.paths.admin_key), built.host.links, Sessions())
    return dashboard(services, access, hosts=own_names(built.settings.gateway))


def services_of(
    built: Built, control: Control, file: Path, own: OwnKey | None = None
) -> DashboardServices:
    """What the pages ask."""
    catalog = CatalogPages(built.models)

    def adopt(settings: Settings) -> None:
        built.use(settings)
        catalog.forget()

    def runs(model: str) -> bool:
        found = built.supervisor.of(model)
        return found is not None and found.holds_the_machine

    return DashboardServices(
        control=control,
        journal=built.journal,
        store=built.store,
        watching=built.watching,
        catalog=catalog,
        read_logs=Logs(built.drivers.every, built.store),
        editing=Editing(built.models, file, adopt=adopt, runs=runs, digest_of=local_digest),
        client_keys=DashboardKeys(
            built.keys,
            own or OwnKey(built.keeper.book),
            keys_broken(built.paths.store, built.paths.keys_marker),
        ),
        measured=built.paths.benchmarks,
    )
