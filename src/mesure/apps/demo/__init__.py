"""A contact-centre day of real AI calls, metered live: `mesure demo`."""

from mesure.apps.demo.options import DemoOptions, Step
from mesure.apps.demo.weights import DemoError

__all__ = ["DemoError", "DemoOptions", "Step", "run_demo"]


def __getattr__(name: str) -> object:
    """`run_demo` brings the client in: loaded when it is asked for."""
    if name == "run_demo":
        from mesure.apps.demo.run import run_demo

        return run_demo
    raise AttributeError(name)
