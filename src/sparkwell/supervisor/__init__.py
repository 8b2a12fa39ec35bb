"""Who runs now? One owner for the state of the box, and every change of it in one place.

``machine`` decides: ``step(box, event) -> (box, effects)``, without a clock or a socket.
``actor`` owns the box, feeds it events and carries the effects out through a driver. Nobody
reads the state in order to change it: they call ``up``, ``down`` or ``ensure_ready``.

May import drivers, store, engines, planner, catalog, hardware and core.
"""
