"""Versions that every result carries: the package, and the method its formulas implement."""

__version__ = "0.1.0"

#: Changes whenever a formula or a fitted constant changes a figure. History is restated under a named version.
METHOD_VERSION = "2026.11.2"
