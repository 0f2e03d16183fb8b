"""The gateway: relays AI calls byte for byte to configured providers, and books what each one used."""

from mesure.apps.gateway.app import PATHS, Gateway

__all__ = ["PATHS", "Gateway"]
