"""Starts in the middle of which the machine went down: each counts as a failure of its model.

A model that does not fit can freeze a machine so that only its switch helps. If it came back by
itself after that, so would the freeze.
"""

from sparkwell.store import BreakerRow, Intent, Store
from sparkwell.supervisor.breaker import OPEN_S, Breaker, failed

_DURING = {"start": "started", "wake": "woke"}


def breaker_of(row: BreakerRow, not_before: float) -> Breaker:
    """What is held against a model, with its time in the reader's own clock."""
    return Breaker(
        row.model,
        row.failures,
        not_before,
        row.first_reason,
        row.first_instance,
        row.while_starting,
    )


def count_wedged(store: Store, boot_id: str | None, *, now: float) -> list[str]:
    """Hold them against their models, and say so in a sentence each; ``now`` is Unix time.

    A daemon that ends in order leaves no such start: then the machine was shut down, or rebooted.
    """
    return [
        _count(store, intent, intent.model, now)
        for intent in store.intents.open()
        if intent.loads_memory and intent.model and intent.is_of_another_boot(boot_id)
    ]


def _count(store: Store, intent: Intent, model: str, now: float) -> str:
    reason = f"the machine restarted while it {_DURING[intent.kind]}"
    row = store.breakers.load().get(model)
    before = breaker_of(row, min(row.not_before, now + OPEN_S)) if row else None
    after = failed(before, model, intent.instance or "", reason, now=now, served_s=None)
    store.breakers.save(
        BreakerRow(model, after.failures, after.not_before, after.reason, after.instance)
    )
    store.intents.finish(intent.id, reason)
    left_alone = ". It is left alone until somebody asks for it" if after.open else ""
    times = "1 failure" if after.failures == 1 else f"{after.failures} failures in a row"
    return f"{model}: {reason}, which makes {times}{left_alone}"
