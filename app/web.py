"""What every part of the web process is handed: settings, service and pages."""

from dataclasses import dataclass

from app.settings import Settings
from pages.public import Site
from tasks.service import Service


@dataclass(frozen=True)
class Web:
    """One per web process."""

    settings: Settings
    service: Service
    site: Site
