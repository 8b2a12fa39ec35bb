"""Whether the ports are free, and who has them if not."""

from collections.abc import Iterator

from sparkwell.checks.check import Check
from sparkwell.checks.host_parts import Port
from sparkwell.checks.say import ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

IN_USE = "port-in-use"


def port_in_use(snapshot: Snapshot) -> Iterator[Finding]:
    """Each port that is wanted is free, or this Sparkwell's own daemon has it."""
    model = snapshot.request.model if snapshot.request else "MODEL"
    for port in snapshot.ports or ():
        yield _about(port, model)


def _about(port: Port, model: str) -> Finding:
    where = f"{port.address}:{port.port}"
    if port.ours:
        return ok(IN_USE, f"Port {port.port} is this Sparkwell's own", f"process {port.pid}")
    if port.problem is None:
        return ok(IN_USE, f"Port {port.port} is free")
    held = holder_of(port)
    return Finding(
        IN_USE,
        Severity.ERROR,
        f"Port {port.port} is held by {held}" if held else f"{where} cannot be listened on",
        evidence=(f"{where}: {port.problem}",),
        remedies=(
            *ways_out(port),
            another_port(port.port, model),
        ),
    )


def holder_of(port: Port) -> str | None:
    """Who listens there, in words; None where that is not known."""
    if port.container:
        return f"the container {port.container}"
    if port.holder:
        return f"{port.holder} (process {port.pid})"
    return None


def ways_out(port: Port) -> tuple[Remedy, ...]:
    """How the port becomes free."""
    if port.container:
        return (Remedy("End that container, if nobody needs it.",
                       f"docker stop {port.container}"),)  # fmt: skip
    if port.pid:
        return (Remedy("End that process, if nobody needs it.", f"kill {port.pid}"),)
    return (Remedy("See who has it.", f"sudo ss -ltnp 'sport = :{port.port}'"),)


def another_port(port: int, model: str) -> Remedy:
    """A port beside it; above those that only root may listen on."""
    other = 8001 if port < 1024 or port == 65535 else port + 1
    return Remedy("Or take another port.", f"sparkwell up {model} --port {other}")


CHECKS = (Check(IN_USE, "Is the port free, and if not, who has it?", port_in_use),)
