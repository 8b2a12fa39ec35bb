"""What is known of the troubles of the box, whatever the host."""

from sparkwell.checks.about import About
from sparkwell.core.findings import Remedy, Severity

AS_ROOT = Remedy(
    "Run the daemon as a service of the system, as root; it keeps its own state folder.",
    "sudo sparkwell --system service install",
)
OUR_OWN = "Sparkwell's own: checks/box.py"

GUARD_MISSING = About(
    id="guard-missing",
    title="The memory guard does not run",
    severity=Severity.WARNING,
    symptoms=("`sparkwell status` says that nobody guards the memory.",),
    cause="Engine and system share the memory here: an engine that takes too much of it can take "
    "the whole machine down.",
    remedies=(Remedy("Its end is told with its reason.", "sparkwell events --kind guard"),),
    reference="vllm issue 46307: a host wedged during a start, switched off and on again",
)
GUARD_UNPROTECTED = About(
    id="guard-unprotected",
    title="The kernel may end the memory guard first when memory runs out",
    severity=Severity.INFO,
    symptoms=("`sparkwell status` calls the guard unprotected.",),
    cause="To be spared it needs rights that neither this user nor a service of it has.",
    remedies=(AS_ROOT,),
    reference="proc(5), oom_score_adj",
)
GUARD_CANNOT_END = About(
    id="guard-cannot-end",
    title="The memory guard cannot end a model",
    severity=Severity.ERROR,
    symptoms=("`sparkwell status` names models that are out of the guard's reach.",),
    cause="Engine and system share the memory here, and nobody else would end it in time. What "
    "runs in a container is most often root's; only a daemon that is root may end that.",
    remedies=(
        AS_ROOT,
        Remedy("Until then stop it before memory runs out.", "sparkwell down MODEL"),
    ),
    reference=OUR_OWN,
)
OPEN_TO_ALL = About(
    id="open-to-all",
    title="Everybody who reaches the port may use the models",
    severity=Severity.WARNING,
    symptoms=("`sparkwell status` says so, and each start of the daemon does.",),
    cause="gateway.auth is none: nobody is asked for a key. What models answer, and the machine's "
    "time, are then everybody's; a reverse proxy in front of the port adds whoever reaches that.",
    remedies=(
        Remedy("Make a key for each program that asks.", "sparkwell keys add NAME"),
        Remedy("Then set gateway.auth: keys in sparkwell.yaml, and start the daemon again."),
    ),
    reference="Sparkwell's own: docs/network.md",
)
KEYS_LOST = About(
    id="keys-lost",
    title="The keys are lost",
    severity=Severity.ERROR,
    symptoms=(
        "Every request is answered with 503 `keys_unreadable`.",
        "`sparkwell keys list` says that the keys are lost, and each start of the daemon does.",
    ),
    cause="There have been keys, and the store has none or cannot be read: it is missing, broken, "
    "or was kept aside and begun anew. Until that is settled nobody is let in, unless "
    "gateway.auth is none.",
    remedies=(
        Remedy(
            "Where you have a copy of the store: end the daemon, put the copy back as sparkwell.db "
            "in the state folder, and start it again. A broken file is kept beside it as "
            "sparkwell.db.broken-TIME."
        ),
        Remedy("Or forget all keys, and make new ones.", "sparkwell keys reset --yes"),
    ),
    reference="Sparkwell's own: docs/keys.md",
)
# Its id and what is known of it are those of diagnosis/memory/host_about.py.
UNDER_FLOOR = "host-memory-low"
FREE_SOME = (
    Remedy("See who holds it.", "sparkwell top"),
    Remedy("Stop a model.", "sparkwell down MODEL"),
)

ASKED = (
    (GUARD_MISSING, "Does the memory guard run where it should?"),
    (GUARD_UNPROTECTED, "Is the memory guard spared when memory runs out?"),
    (GUARD_CANNOT_END, "Can the memory guard end every engine?"),
    (OPEN_TO_ALL, "Is a key asked for?"),
    (KEYS_LOST, "Does the store have the keys that there have been?"),
)
"""Each with the question that its part of ``box.look_at`` answers."""
