"""The queue, the switch under way and the memory, as status shows them."""

from typing import Any

from sparkwell.core.phases import Phase
from sparkwell.supervisor.box import Box, State
from sparkwell.supervisor.queue import estimated_wait_s
from sparkwell.supervisor.room import holding, promised_bytes


def queue_of(box: Box, now: float) -> list[dict[str, Any]]:
    """The models that requests wait for, in the order of their coming."""
    entries = []
    models = [each.model for each in box.waiting]
    for model in dict.fromkeys(models):
        requests = box.waiting_for(model)
        wait = estimated_wait_s(box, requests[0], now)
        entries.append(
            {
                "model": model,
                "waiting": len(requests),
                "oldest_s": round(now - min(each.at for each in requests), 1),
                "priority": max(each.priority for each in requests),
                "estimated_s": None if wait is None else round(wait, 1),
            }
        )
    return entries


def switch_of(box: Box, now: float) -> dict[str, Any] | None:
    """The switch under way; None without one."""
    if box.switch is None:
        return None
    return {
        "from": [each.model for each in box.switch.leaving],
        "to": box.switch.to,
        "step": _step(box, box.switch.to),
        "since_s": round(now - box.switch.since, 1),
    }


def _step(box: Box, to: str) -> str:
    if any(each.state is State.DRAINING and each.serving for each in box.instances):
        return "draining"
    leaving = (State.DRAINING, State.STOPPING, State.SLEEPING)
    if any(each.state in leaving for each in box.instances):
        return "stopping"
    coming = box.of(to)
    if coming and coming.state in (State.STARTING, State.WAKING):
        return "preparing" if coming.phase is Phase.PREPARE else "starting"
    return "verifying" if box.settling else "starting"


def memory_of(box: Box, total: int, available: int | None, floor: int | None) -> dict[str, Any]:
    """The memory of the machine: what there is, what is promised, and what must stay free."""
    return {
        "total_bytes": total,
        "available_bytes": available,
        "budget_bytes": box.budget.total_bytes,
        "promised_bytes": promised_bytes(holding(box)),
        "floor_bytes": floor,
    }
