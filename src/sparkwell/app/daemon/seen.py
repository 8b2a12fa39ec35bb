"""Names of models as a running daemon sees them: what they mean, and what runs of them."""

from dataclasses import dataclass

from sparkwell.app.served import Served, lost
from sparkwell.app.service import ModelService
from sparkwell.core.errors import UnknownModelError
from sparkwell.core.launch import LaunchSpec
from sparkwell.supervisor.actor import Supervisor


@dataclass(frozen=True, slots=True)
class Seen:
    """The catalog and the supervisor, asked together."""

    models: ModelService
    supervisor: Supervisor

    def served(self, name: str) -> Served:
        """The model that a name means; one that runs may be missing from the catalog.

        Raises UnknownModelError.
        """
        try:
            return self.models.served(name)
        except UnknownModelError:
            if self.supervisor.of(name) is None:
                raise
            return lost(name)

    def spec(self, served: Served) -> LaunchSpec | None:
        """What the model's instance was launched with; None where there is none."""
        instance = self.supervisor.of(served.name)
        return self.supervisor.spec(instance.id) if instance else None
