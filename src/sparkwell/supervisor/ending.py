"""How an instance ends: its turn to stop, and what its end leaves."""

from dataclasses import replace

from sparkwell.supervisor.box import Box, Instance, Leave, State
from sparkwell.supervisor.effects import Effect, Settle, Step, Tell, Terminate


def stop(
    box: Box,
    instance: Instance,
    message: str,
    error: str | None = None,
    hint: str | None = None,
) -> Step:
    """End an instance: at once where no other is changing, else as soon as none is.

    Memory that still comes back holds up a start, and not another end.
    """
    doomed = replace(instance, error=error, hint=hint, lost=False)
    if box.changing and not instance.has_the_turn:
        waits = replace(doomed, state=State.DRAINING, leave=Leave.STOP, cut=True)
        return box.with_(waits), (Tell("instance.draining", f"{message}, after another", waits),)
    stopping = replace(doomed, state=State.STOPPING)
    return box.with_(stopping), (
        Tell("instance.stopping", message, stopping),
        Terminate(instance.id),
    )


def gone(box: Box, current: Instance) -> Step:
    """An instance that leaves nothing behind."""
    told = Tell("instance.stopped", f"{current.model} has stopped", current)
    return settling(box.without(current.id), current, (told,))


def settling(box: Box, ended: Instance, effects: tuple[Effect, ...]) -> Step:
    """An engine's memory comes back a while after its end; nothing else changes meanwhile."""
    if not ended.launched or ended.id in box.settling:
        return box, effects
    box = replace(box, settling=(*box.settling, ended.id))
    return box, (*effects, Settle(ended.id, ended.model))
