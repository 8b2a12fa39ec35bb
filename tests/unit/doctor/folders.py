"""An instance's folder as the process driver leaves it."""

import json
from pathlib import Path

from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.drivers.process import records
from sparkwell.drivers.process.shim import files, proc


def ended_instance(
    home: Path, spec: LaunchSpec, pid: int, record: ExitRecord, ticks: int | None = None
) -> None:
    """Write one whose ledger names a process; ``ticks`` None: with its real start."""
    folder = home / "instances" / spec.instance
    folder.mkdir(parents=True, exist_ok=True)
    real = proc.table()[pid].start_ticks
    ledger = {"boot_id": proc.boot_id(), "descendants": [[pid, ticks or real]]}
    (folder / files.LAUNCH).write_text(json.dumps({"spec": records.spec_to_json(spec)}))
    (folder / files.DESCENDANTS).write_text(json.dumps(ledger))
    (folder / files.EXIT).write_text(json.dumps(records.exit_to_json(record)))
