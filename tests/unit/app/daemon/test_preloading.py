"""Why models are preloaded together: on a GPU the first one alone takes what the others need."""

from unittest.mock import AsyncMock, Mock

import pytest
from tests.unit.app.daemon.test_terms import SMALL, Make, make, served

from sparkwell.admin.api import UpBody
from sparkwell.app.launching.admission import admitted, own_wishes
from sparkwell.app.launching.starter import Starter
from sparkwell.app.service import ModelService
from sparkwell.core.errors import ConflictError

__all__ = ["make"]


async def test_two_that_do_not_fit_one_by_one_fit_together(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make("dgx-spark")
    monkeypatch.setattr(ModelService, "must_be_fetchable", lambda *_of_what: None)
    monkeypatch.setattr(Starter, "_check_image", lambda *_of_what: None)
    starter = Starter(bench.models, Mock(), Mock(), Mock(held_bytes=AsyncMock(return_value=None)))
    first, second = (served(bench, name) for name in SMALL)

    wishes = own_wishes(UpBody(models=SMALL), [first, second])
    both = await admitted(starter, wishes, {})
    held = [each.held_bytes or 0 for each in both.values()]
    assert min(held) > 0.25 * bench.total
    assert sum(held) <= bench.total

    alone = await admitted(starter, own_wishes(UpBody(models=SMALL[:1]), [first]), {})
    beside = {first.name: alone[first].held_bytes}
    with pytest.raises(ConflictError, match="does not fit on this machine beside"):
        await admitted(starter, own_wishes(UpBody(models=SMALL[1:]), [second]), beside)
