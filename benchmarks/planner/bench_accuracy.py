"""The planner's errors on the recorded starts; exit status 1 where a bound is missed."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))  # they make docs/accuracy.md

from accuracy.pairs import calibrations
from accuracy.rows import largest, percent, rows, typical

Figure = tuple[str, list[float], float | None]


def main() -> int:
    """Print the table; returns the exit status."""
    missed = 0
    print(f"{'error of':52}{'starts':>8}{'median':>10}{'largest':>10}{'bound':>8}")
    for name, errors, bound in figures():
        wrong = bound is not None and max(map(abs, errors)) > bound
        missed |= wrong
        said = percent(bound, 1).lstrip("+") if bound is not None else "none"
        values = f"{len(errors):>8}{typical(errors):>10}{largest(errors):>10}{said:>8}"
        print(f"{name:52}{values}{'  missed' if wrong else ''}")
    return int(missed)


def figures() -> Sequence[Figure]:
    """What is measured, its errors, and the largest that is allowed."""
    every = rows()
    found = [row for row in every if not row.case.start.session.fitted]
    guides = [row.error for row in every if row.case.start.session.fitted]
    same = [pair.error for pair in calibrations(found) if not pair.warms]
    weights = [row.weights_error for row in found if row.weights_error is not None]
    return (
        ("KV tokens, the guides' runs (fitted, n = 2)", guides, 0.02),
        ("KV tokens, H100 and H200", [row.error for row in found], 0.02),
        ("KV tokens, calibrated by a start of the same kind", same, 0.002),
        ("KV tokens, each model left out of the fit", [row.left_out_error for row in found], None),
        ("weights", weights, 0.005),
    )


if __name__ == "__main__":
    sys.exit(main())
