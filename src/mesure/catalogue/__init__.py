"""Sourced facts - models, hardware, grids, sites, prices, equivalences - and their look-up at a date."""

from mesure.catalogue.hardware import Accelerator
from mesure.catalogue.models import ModelFacts
from mesure.catalogue.places import Grid, Host, Region
from mesure.catalogue.prices import Price
from mesure.catalogue.store import Catalogue, current, use
from mesure.catalogue.table import Factor

__all__ = ["Accelerator", "Catalogue", "Factor", "Grid", "Host", "ModelFacts", "Price", "Region", "current", "use"]
