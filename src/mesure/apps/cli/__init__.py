"""The command line: `mesure --help`. One file per command; a command's imports are paid when it runs."""

from mesure.apps.cli.group import main

__all__ = ["main"]
