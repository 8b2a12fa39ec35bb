"""What runs: starts that fail or stall, engines that hang, and how well they serve.

In the order in which they are heard.
"""

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.running import (
    crash_loop,
    engine_hung,
    load_stalled,
    model_failed,
    served,
)

CHECKS: tuple[Check, ...] = (
    crash_loop.CHECK,
    engine_hung.CHECK,
    load_stalled.CHECK,
    *served.CHECKS,
    model_failed.CHECK,
)
