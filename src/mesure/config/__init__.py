"""`mesure.toml`: typed, versioned settings."""

from mesure.config.load import load_settings
from mesure.config.settings import (
    CONFIG_VERSION,
    DeploymentSettings,
    GatewaySettings,
    LedgerSettings,
    OrganisationSettings,
    OtlpSettings,
    ProviderSettings,
    ServerSettings,
    Settings,
    StateSettings,
)

__all__ = [
    "CONFIG_VERSION",
    "DeploymentSettings",
    "GatewaySettings",
    "LedgerSettings",
    "OrganisationSettings",
    "OtlpSettings",
    "ProviderSettings",
    "ServerSettings",
    "Settings",
    "StateSettings",
    "load_settings",
]
