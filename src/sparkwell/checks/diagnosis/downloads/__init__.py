"""Downloads, disks and ports; in the order in which they are heard."""

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.downloads import (
    auth,
    disk_full,
    incomplete,
    not_writable,
    port_in_use,
    unreachable,
)

CHECKS: tuple[Check, ...] = (
    auth.CHECK,
    unreachable.CHECK,
    incomplete.CHECK,
    disk_full.CHECK,
    not_writable.CHECK,
    port_in_use.CHECK,
)
