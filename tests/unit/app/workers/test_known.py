"""What workers are told of the models: which may be named, and which are listed."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.app.daemon.test_host import Bench

from sparkwell.app.settings.config import Settings
from sparkwell.app.workers import known
from sparkwell.app.workers.known import KnownHere
from sparkwell.store.database import open_database
from sparkwell.store.history import History


async def test_what_is_listed_follows_what_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "LOOK_S", 0.001)
    with closing(open_database(tmp_path / "s.db")) as database:
        bench = Bench(tmp_path, History(database), Settings())
        here = KnownHere(bench.models, bench.supervisor, bench.host._journal, bench.host.served)
        await here.changed()
        mark, told = here.mark(), here.all()
        assert told.listed == ("demo-llama", "demo-qwen3")
        assert "qwen3-8b-fp8" in [each.name for each in told.models]  # to be named, not listed
        monkeypatch.setattr(bench.host.served, "listed", list)
        await here.changed()
        assert here.mark() != mark
        assert here.all().listed == ()
        await bench.supervisor.close()
