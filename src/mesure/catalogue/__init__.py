"""Sourced facts - models, hardware, grids, sites, equivalences - and their look-up at a date."""

from mesure.catalogue.models import ModelFacts
from mesure.catalogue.store import Accelerator, Catalogue, Host, current
from mesure.catalogue.table import Factor

__all__ = ["Accelerator", "Catalogue", "Factor", "Host", "ModelFacts", "current"]
