"""The parts of a daemon, put together: the one place that knows every concrete class."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sparkwell.app.daemon.first_looks import FirstLooks
from sparkwell.app.daemon.host import About, Host
from sparkwell.app.daemon.on_demand import OnDemandStarts
from sparkwell.app.daemon.recovery import Recovery, read_boot_id
from sparkwell.app.daemon.remembering import Remembering
from sparkwell.app.daemon.seen import Seen
from sparkwell.app.daemon.supervising import make_journal, make_supervisor
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.diagnosing.living import Living
from sparkwell.app.drivers import Drivers, make_drivers
from sparkwell.app.guard.guarded import guarded, is_wanted, limits_of
from sparkwell.app.guard.keeper import GuardKeeper
from sparkwell.app.guard.machine_memory import MachineMemory
from sparkwell.app.guard.wedged import count_wedged
from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.app.keys.service import KeyService
from sparkwell.app.launching.fetchers import HostFetchers, pull_image
from sparkwell.app.launching.starter import Starter, wish_of
from sparkwell.app.ollama.starts import OllamaStarts
from sparkwell.app.paths import Paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.app.status.box import memory_of
from sparkwell.app.status.describing import Describer
from sparkwell.app.watching.counts import Counts
from sparkwell.app.watching.watching import Watching, make_watching
from sparkwell.catalog import Catalog
from sparkwell.drivers.ollama.plan import Kept
from sparkwell.store import Intent, Store
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.adoption import Earlier
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.terms import Terms

RECENT_S = 3600.0


@dataclass(slots=True)
class Built:
    """A daemon's parts. ``left`` are the intents that an earlier one did not finish.

    ``wedged`` says in a sentence each which starts the machine did not survive.
    """

    paths: Paths
    settings: Settings
    models: ModelService
    store: Store
    journal: Journal
    drivers: Drivers
    supervisor: Supervisor
    starter: Starter
    terms: TermsMaker
    memory: MachineMemory
    remembering: Remembering
    host: Host
    boot_id: str | None
    left: list[Intent]
    wedged: list[str]
    watching: Watching
    keeper: KeyKeeper
    keys: KeyService
    guard: GuardKeeper | None = None

    async def recover(self) -> None:
        """Take over what an earlier daemon left running, and finish what it had begun."""
        for said in self.wedged:
            self.journal.add("recovery.wedged", said)
        recovery = Recovery(
            self.store,
            self.supervisor,
            self.journal,
            self.terms_of,
            self.left,
            self.boot_id,
            self.settings.switching.restore,
        )
        await recovery.take_over()
        await recovery.finish()
        self.remembering.recovered()

    async def adopt(self) -> None:
        """Take over what could not be looked at when the daemon began."""
        await self.supervisor.adopt(Earlier(self.store.runs.kept))

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[None]:
        """Have the memory guard live as long as the block runs."""
        machine = self.models.planning.here
        settings = self.settings.guard
        async with guarded(self.paths, settings, machine, self.supervisor, self.journal) as guard:
            self.guard = guard
            yield

    def use(self, settings: Settings) -> None:
        """Go by what other settings say of models, from the next start on; what runs goes on."""
        for model in self.models.use(settings):
            self.terms.forget(model)

    def memory_now(self) -> Mapping[str, Any]:
        """The machine's memory, who watches it, and what it did to engines, for status."""
        machine = self.models.planning.here
        wanted = is_wanted(self.settings.guard, machine)
        guard = {"enabled": wanted, **(self.guard.status() if self.guard else {"running": False})}
        floor = limits_of(self.settings.guard, machine).soft_floor_bytes if wanted else None
        available = self.memory.available_bytes()
        memory = memory_of(self.supervisor.box, machine.total_bytes, available, floor)
        return {"memory": memory, "guard": guard, "restarts": self._restarts()}

    def _restarts(self) -> dict[str, int]:
        """How often models were started again after a failure in the last hour."""
        recent = self.store.restarts.since(time.time() - RECENT_S)
        return dict(Counter(each.model for each in recent))

    def terms_of(self, model: str, labels: Mapping[str, str], kept: bool) -> Terms:
        """The terms of a model that is to be started again; raises SparkwellError."""
        return self.terms.of_here(self.models.served(model), wish_of(labels), by_person=kept)


def build(
    paths: Paths,
    settings: Settings,
    catalog: Catalog,
    about: About,
    end: Callable[[bool], None],
    stack: AsyncExitStack,
) -> Built:
    """Put a daemon together. Nothing runs yet; ``stack`` closes what has to be closed."""
    boot_id = read_boot_id()
    store = Store(paths.store, boot_id=boot_id)
    stack.callback(store.close)
    wedged = count_wedged(store, boot_id, now=time.time())
    left = store.intents.open()
    remembering = Remembering(store, boot_id)
    counts = Counts()
    journal = make_journal(store, remembering, counts, stack)
    keeper = KeyKeeper(store, paths.store, paths.keys_marker, tell=journal.add)
    stack.callback(keeper.flush)
    models = ModelService(paths, settings, catalog)
    machine = models.planning.here
    drivers = make_drivers(paths, settings, models.environ, gpus=machine.device == "cuda")
    stack.push_async_callback(drivers.ollama.close)
    starter = make_starter(models, drivers, paths)
    terms = TermsMaker(models, store.history.expected)
    wanted = is_wanted(settings.guard, machine)
    floor = limits_of(settings.guard, machine).soft_floor_bytes if wanted else None
    first = FirstLooks(store.runs)
    memory = MachineMemory(machine, drivers.every, journal, floor_bytes=floor, first=first)
    on_demand = OnDemandStarts(starter, terms)
    supervisor = make_supervisor(
        settings, catalog, store, journal, drivers, terms, memory, on_demand
    )
    memory.supervisor = remembering.supervisor = supervisor
    on_demand.seen = Seen(models, supervisor)
    describer = Describer(models, drivers.every, supervisor, store.history)
    host = Host(about, models, starter, drivers.every, supervisor, journal, describer, terms, end)
    watching = make_watching(paths, supervisor, models, journal, counts, floor, stack)
    watching.count_keys(keeper.figures)
    built = Built(
        paths,
        settings,
        models,
        store,
        journal,
        drivers,
        supervisor,
        starter,
        terms,
        memory,
        remembering,
        host,
        boot_id,
        left,
        wedged,
        watching,
        keeper,
        KeyService(keeper, lambda name: models.served(name).name),
    )
    host.memory = built.memory_now
    host.keys_lost = lambda: keeper.lost.message if keeper.lost else None
    host.parts = Living(supervisor, store, catalog, watching, host.status).parts
    host.served.watcher = host.watching = watching
    return built


def make_starter(models: ModelService, drivers: Drivers, paths: Paths) -> Starter:
    """What makes starts on this host."""
    fetchers = HostFetchers(models, partial(pull_image, models.environ), [paths.config])
    kept = Kept(models.environ, (models.settings.folders.ollama,))
    ollama = OllamaStarts(
        drivers.ollama, drivers.ollama_server, models.planning, lambda: models.settings, kept
    )
    return Starter(models, drivers.every, fetchers, ollama)
