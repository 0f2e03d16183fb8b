"""`mesure.toml`: typed, versioned settings."""

from mesure.config.load import load_settings
from mesure.config.settings import (
    CONFIG_VERSION,
    AgentSettings,
    AlertSettings,
    BudgetSettings,
    DeploymentSettings,
    GatewaySettings,
    ImportSettings,
    LedgerSettings,
    MailSettings,
    OrganisationSettings,
    OtlpSettings,
    ProviderSettings,
    ReceiverSettings,
    SensorSettings,
    ServerSettings,
    Settings,
    StateSettings,
)

__all__ = [
    "CONFIG_VERSION",
    "AgentSettings",
    "AlertSettings",
    "BudgetSettings",
    "DeploymentSettings",
    "GatewaySettings",
    "ImportSettings",
    "LedgerSettings",
    "MailSettings",
    "OrganisationSettings",
    "OtlpSettings",
    "ProviderSettings",
    "ReceiverSettings",
    "SensorSettings",
    "ServerSettings",
    "Settings",
    "StateSettings",
    "load_settings",
]
