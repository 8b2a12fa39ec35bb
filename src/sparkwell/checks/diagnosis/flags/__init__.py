"""The engine's command line; in the order in which it is heard."""

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.flags import flag_removed, flag_unknown, trust_remote_code_needed

CHECKS: tuple[Check, ...] = (
    flag_removed.CHECK,
    flag_unknown.CHECK,
    trust_remote_code_needed.CHECK,
)
