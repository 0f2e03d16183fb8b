"""The `Explore` page: from the whole organisation down to one call, over time, by any measure."""

from mesure.apps.web.explore.links import PATH
from mesure.apps.web.explore.routes import Explore

__all__ = ["PATH", "Explore"]
