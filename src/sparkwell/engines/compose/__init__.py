"""Docker Compose files as values: what a service is, and how it is written. Pure."""

from sparkwell.engines.compose.document import Document, to_yaml
from sparkwell.engines.compose.service import Healthcheck, Service, service_of

__all__ = ["Document", "Healthcheck", "Service", "service_of", "to_yaml"]
