"""Every setting, once: name, type, default and meaning. `docs/configuration.md` is generated from this file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "CONFIG_VERSION",
    "AgentSettings",
    "AlertSettings",
    "BudgetSettings",
    "ContactSettings",
    "ContentSettings",
    "DeploymentSettings",
    "GatewaySettings",
    "ImportSettings",
    "LedgerSettings",
    "MailSettings",
    "OrganisationSettings",
    "OtlpSettings",
    "PrivacySettings",
    "ProfileSettings",
    "ProviderSettings",
    "ReceiverSettings",
    "SensorSettings",
    "ServerSettings",
    "Settings",
    "StateSettings",
]

CONFIG_VERSION = 1
#: Protocols that providers speak; the readers are in `mesure.meter.wires`.
_WIRES = (
    "openai",
    "azure",
    "anthropic",
    "gemini",
    "mistral",
    "cohere",
    "huggingface",
    "tgi",
    "ollama",
    "llama.cpp",
    "vllm",
)
#: Kinds of sensors; they are opened in `mesure.meter.sensors.found`.
_SENSORS = ("nvml", "amd", "apple", "rapl", "psys", "prometheus", "redfish", "cpu-time")


def _setting(default: Any, doc: str, *, choices: tuple[str, ...] = (), least: float = 0.0, secret: bool = False) -> Any:
    """A field: `choices` when only some texts will do, `least` for numbers, `secret` when it must never be printed."""
    metadata = {"doc": doc, "choices": choices, "least": least, "secret": secret}
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where Mesure listens and keeps its data."""

    host: str = _setting(
        "127.0.0.1", "Address to listen on. Anything but loopback is refused without accounts or keys."
    )
    port: int = _setting(8420, "Port of the gateway, the pages and the metrics.")
    workers: int = _setting(
        1, "Processes that relay calls. With more than one, one more holds the ledger and the pages.", least=1
    )
    stop_s: float = _setting(30.0, "Longest time that calls in flight are given to end when it is stopped.", least=0.0)
    data: str = _setting("mesure-data", "Folder of the spool, the ledger and the state.")
    catalogue: str = _setting(
        "", "File of your own factors, over the packaged ones; catalogue.toml or .csv in the data folder if empty."
    )
    allowed_hosts: list[str] = _setting(
        [], "Further names accepted in the Host header, beside the loopback names and `host`."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationSettings:
    """Whose use of AI this is."""

    name: str = _setting("", "Shown on pages and reports.")
    timezone: str = _setting("Europe/Paris", "A day is a day of this time zone.")
    language: str = _setting("fr", "First language of pages and messages.", choices=("fr", "en"))
    headcount: int = _setting(0, "Number of people, to give totals a scale; 0 when not given.")
    holidays: list[str] = _setting([], "Days, as 2026-12-25, that forecasts take for a Sunday.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One place that answers AI calls. The table's name is the `<name>` of `/providers/<name>/`."""

    base_url: str = _setting("", "Address calls are forwarded to, with its /v1 if it has one.")
    wire: str = _setting("openai", "Protocol spoken: see the gateway's document.", choices=_WIRES)
    default: bool = _setting(False, "Serves the bare /v1/ paths.")
    api_key: str = _setting("", "Key sent upstream instead of the client's. Prefer `api_key_env`.", secret=True)
    api_key_env: str = _setting("", "Environment variable that holds the key.")
    provider: str = _setting("", "Provider's name in the catalogue (openai, mistral...); the table's name if empty.")
    zone: str = _setting(
        "",
        "Grid zone where it runs, if known: ISO 3166-1 alpha-3 or 3166-2. Empty: the default host's place.",
    )
    region: str = _setting("", "Cloud region where it runs, if known.")
    deployment: str = _setting("", "Name of a [deployments.<name>] table that describes the machines.")
    include_usage: bool = _setting(True, "The provider accepts stream_options.include_usage on chat completions.")
    live: bool = _setting(False, "Send `: energy` comments in streams without being asked.")
    connect_timeout_s: float = _setting(15.0, "Longest wait for a connection to the provider.", least=0.001)
    first_byte_timeout_s: float = _setting(600.0, "Longest wait for the first byte of an answer.", least=0.001)
    timeout_s: float = _setting(600.0, "Longest wait between two bytes of an answer.", least=0.001)
    stays_open: str = _setting(
        "local",
        "Whether its calls pass when a hard budget is spent: `local` where its address is this machine's own.",
        choices=("local", "always", "never"),
    )
    meter_cpu_pid: int = _setting(
        0, "Process on this machine that serves this provider: its calls are metered from its CPU time."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """Machines that serve a model, when they are known: what is stated narrows every interval."""

    gpu: str = _setting("", "Accelerator, by its catalogue id.")
    n_gpus: int = _setting(0, "Accelerators that serve one copy of the model; 0 when unknown.")
    precision: str = _setting("", "Weight format: bf16, fp8, int4... Empty when unknown.")
    batch: float = _setting(0.0, "Requests in flight on average; 0 when unknown.")
    framework: str = _setting("", "Serving software. Empty when unknown.")
    sensor: str = _setting(
        "", "Name of a [sensors.<name>] table that measures it: its joules then replace the model's."
    )
    requests: str = _setting(
        "gateway",
        "Who tells which requests were in flight: this gateway, when all calls of the deployment pass through it, or "
        "the inference server's own metrics.",
        choices=("gateway", "server"),
    )
    metrics_url: str = _setting("", "Address of the inference server's Prometheus metrics (requests = server).")
    provider: str = _setting("", "Provider's name written on what is counted by the server's metrics.")
    model: str = _setting("", "Model written on it; as the server's metrics name it, if empty.")
    zone: str = _setting("", "Grid zone of the machines, written on what is measured there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSettings:
    """Something that reads joules or watts of the machines that serve models."""

    kind: str = _setting("", "What is read: see docs/sensors.md.", choices=_SENSORS)
    devices: list[str] = _setting([], "Boards, chassis or series to read, by index, id or label; all when empty.")
    url: str = _setting("", "Address of an exporter, a Prometheus server or a management controller.")
    query: str = _setting("", "PromQL expression, when `url` is a Prometheus server.")
    metric: str = _setting("", "Metric to read from an exporter; the first known one it publishes, if empty.")
    unit: str = _setting("W", "Unit of `metric` or `query`.", choices=("J", "mJ", "uJ", "W", "mW"))
    scope: str = _setting("server", "What `metric` or `query` covers.", choices=("cpu", "accelerator", "server"))
    labels: list[str] = _setting([], "Labels that every series must bear, as `name=value`.")
    user: str = _setting("", "User, where the address asks for one.")
    password: str = _setting("", "Password. Prefer `password_env`.", secret=True)
    password_env: str = _setting("", "Environment variable that holds the password.")
    session: bool = _setting(False, "Open a Redfish session rather than send the password with each reading.")
    ca_file: str = _setting("", "Certificates to trust beside the system's; none is ever left unverified.")
    pid: int = _setting(0, "Process whose CPU time is modelled (cpu-time).")
    idle_w: float = _setting(0.0, "Watts while nothing is asked of the machines; learnt from the readings if 0.")
    sample_s: float = _setting(1.0, "Time between two readings.", least=0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """`mesure agent`: what it measures goes to its own ledger folder, or to another Mesure."""

    window_s: float = _setting(
        60.0, "Time that one line of idle energy, or of a server's own counts, covers.", least=1.0
    )
    remote: str = _setting("", "Address of the Mesure that takes the events, as https://mesure.example.")
    key_env: str = _setting("", "Environment variable that holds the virtual key to send them with.")
    ca_file: str = _setting("", "Certificates to trust beside the system's.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """How calls are relayed."""

    max_body_mb: float = _setting(64.0, "Largest request taken.", least=0.001)
    hold_json_mb: float = _setting(
        8.0, "JSON answers up to this size are held until complete, so that headers can carry the figure."
    )
    organisation: str = _setting("", "Organisation written on each call; the organisation's name if empty.")
    application: str = _setting("", "Application written on calls that name none.")
    environment: str = _setting(
        "production", "Environment of the calls that say nothing.", choices=("production", "test", "experiment")
    )
    keys: str = _setting(
        "optional",
        "Virtual keys: `required` refuses calls without one, `optional` checks those that carry one, `off` knows none.",
        choices=("off", "optional", "required"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """Telemetry taken from applications that are instrumented already (OpenTelemetry's protocol)."""

    enabled: bool = _setting(True, "Take OTLP at /otlp/v1/ and at /v1/traces, /v1/metrics and /v1/logs.")
    max_body_mb: float = _setting(16.0, "Largest request taken, decompressed.", least=0.001)
    grpc_port: int = _setting(0, "Port of the gRPC intake, usually 4317; 0 is off. Needs the extra `grpc`.")
    token_histograms: bool = _setting(
        True, "Count gen_ai.client.token.usage of services that send no span, as aggregates."
    )
    team_attributes: list[str] = _setting(["team"], "Attributes that name the team, after `mesure.team`.")
    use_case_attributes: list[str] = _setting(
        ["use_case"], "Attributes that name the use case, after `mesure.use_case`."
    )
    end_client_attributes: list[str] = _setting([], "Attributes that name the end client, after `mesure.end_client`.")
    contact_attributes: list[str] = _setting([], "Attributes that hold the contact's id, after `mesure.contact_id`.")
    user_attributes: list[str] = _setting(
        [], "Attributes that name a person, after `mesure.user`: a keyed pseudonym is kept of them."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """When facts move from the spool to the table."""

    commit_seconds: float = _setting(20.0, "Longest time before a commit.", least=0.01)
    commit_events: int = _setting(10_000, "Events that trigger a commit before that time.", least=1)
    compact_files: int = _setting(64, "Small files that trigger a compaction.", least=2)
    segment_mb: float = _setting(64.0, "Size at which a spool segment is closed.", least=0.001)
    memory_mb: float = _setting(
        256.0, "Memory that questions to the ledger may take together; beyond it they use the disk.", least=128.0
    )
    segment_minutes: float = _setting(60.0, "Age at which a spool segment is closed, however small.", least=0.001)
    log_retention_hours: int = _setting(24, "How long the table's own log is kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """Declared use that nothing counts: seats x active days x prompts (or minutes) a day; see `mesure declare`."""

    product: str = _setting("", "Product whose prompts the catalogue estimates: assistant, microsoft-365-copilot...")
    model: str = _setting("", "Model behind it, if known.")
    provider: str = _setting("", "Who provides it.")
    team: str = _setting("", "Team it is written on.")
    end_client: str = _setting("", "End client it is written on.")
    use_case: str = _setting("", "Use case it is written on.")
    application: str = _setting("", "Application it is written on; the product if empty.")
    seats: int = _setting(0, "People who have it.")
    active_days: float = _setting(0.0, "Days of the period on which a seat is used.")
    prompts_per_day: float = _setting(0.0, "Prompts of a seat on such a day.")
    minutes_per_day: float = _setting(0.0, "Minutes of talk of a seat on such a day.")
    since: str = _setting("", "First day, as 2026-11-01.")
    until: str = _setting("", "Last day, itself included.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSettings:
    """Contacts of a contact centre, brought in by `mesure contacts import`."""

    keep_days: int = _setting(0, "Contacts older than this are deleted at each import; 0 keeps them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """How a table of usage is read: `mesure import --save NAME` writes one, `--using NAME` reads with it."""

    export: str = _setting("", "Whose export it is, as in `--as`; found from its columns if empty.")
    map: list[str] = _setting([], "Columns that hold fields, as in `--map`: `team=Pôle`.")
    set: list[str] = _setting([], "Values for every row, as in `--set`: `provider=azure`.")
    cycle: list[str] = _setting([], "Values for the rows in turn, as in `--cycle`.")
    timezone: str = _setting("", "Time zone of times without an offset; the organisation's if empty.")
    decimal: str = _setting("point", "How numbers are written.", choices=("point", "comma"))
    dates: str = _setting("iso", "How times are written.", choices=("iso", "french", "unix", "unix-ms"))
    delimiter: str = _setting("", "What separates cells; found from the header if empty.")
    encoding: str = _setting("utf-8", "How letters are written.", choices=("utf-8", "windows-1252"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSettings:
    """Where virtual keys, budgets and alerts are kept."""

    url: str = _setting(
        "",
        "PostgreSQL that several machines share, as `postgresql://user@host/database`. "
        "Empty: SQLite, `state.sqlite` in the data folder.",
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """A limit on a period. The table's name is the budget's. Empty scopes mean all; several must all hold."""

    limit: float = _setting(0.0, "How much for one period, in `unit`; above 0.")
    unit: str = _setting("kWh", "`kWh`, `kgCO2eq`, `L` (water), `calls`, or a currency such as `EUR`.")
    period: str = _setting("month", "When it begins again.", choices=("day", "week", "month", "quarter", "year"))
    organisation: str = _setting("", "Only calls of this organisation.")
    end_client: str = _setting("", "Only calls for this end client.")
    team: str = _setting("", "Only calls of this team.")
    use_case: str = _setting("", "Only calls for this use case.")
    key: str = _setting("", "Only calls with this virtual key, as mesure-xxxxxxxx.")
    model: str = _setting("", "Only calls to this model, by its catalogue name or as it was asked for.")
    thresholds: list[float] = _setting([0.5, 0.8, 1.0], "Shares of the limit that are told when reached.")
    mode: str = _setting(
        "inform", "`inform` tells; `hard` also refuses calls that no longer fit.", choices=("inform", "hard")
    )
    fail_open: bool = _setting(
        True, "Hard, while the state store is down: calls go on, up to `outage_share` of the limit for each worker."
    )
    outage_share: float = _setting(0.1, "See `fail_open`.")
    usd_rate: float = _setting(
        0.0, "One US dollar in the budget's currency, for calls of which only a list price is known; 0: they count not."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What is looked at, how often, and where alerts lead."""

    every_s: float = _setting(60.0, "How often budgets and rules are evaluated.", least=1.0)
    off: list[str] = _setting([], "Codes of alerts that are not raised: see the alerts' document.")
    link: str = _setting("", "Address of the pages as receivers reach them; the address listened on if empty.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """The SMTP server that takes alerts by e-mail. None is sent while `host` is empty."""

    host: str = _setting("", "Name of the server.")
    port: int = _setting(587, "Its port; usually 465 for `tls`.")
    security: str = _setting(
        "starttls", "How the connection is protected; `none` sends no password.", choices=("starttls", "tls", "none")
    )
    user: str = _setting("", "Login, if the server asks for one.")
    password: str = _setting("", "Its password. Prefer `password_env`.", secret=True)
    password_env: str = _setting("", "Environment variable that holds the password.")
    sender: str = _setting("", "Address alerts come from.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSettings:
    """Who is told of alerts. The table's name is the receiver's."""

    kind: str = _setting(
        "email", "How: e-mail or a webhook.", choices=("email", "generic", "slack", "teams", "mattermost")
    )
    to: list[str] = _setting([], "E-mail addresses.")
    url: str = _setting("", "Address of the webhook. Prefer `url_env`: many such addresses are secrets.", secret=True)
    url_env: str = _setting("", "Environment variable that holds the address.")
    secret: str = _setting("", "Key that signs `generic` messages. Prefer `secret_env`.", secret=True)
    secret_env: str = _setting("", "Environment variable that holds the key.")
    language: str = _setting("", "Language of the messages; the organisation's if empty.", choices=("", "fr", "en"))
    least: str = _setting("warning", "From which severity on.", choices=("info", "warning", "serious"))
    team: str = _setting("", "Only alerts about this team.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """What of people is kept, and how long. What may be stored at all is not a setting: see docs/en/register.md."""

    label_keys: list[str] = _setting(
        [], "Keys that free labels of calls and imports may have; a label under another key is not stored."
    )
    user_days: int = _setting(
        90, "Days after which the pseudonym of a user is dropped from a call, whose counts stay; 0 keeps it."
    )
    contact_days: int = _setting(
        365, "Days after which contact, conversation and turn are dropped from a call; 0 keeps them."
    )
    ledger_days: int = _setting(0, "Days after which a call is deleted from the ledger, counts and all; 0 keeps it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSettings:
    """A use case whose prompts and answers are kept, encrypted, apart from the ledger: the table's name is its name.

    Without such a table nothing of any prompt or answer is kept.
    """

    days: int = _setting(30, "Days after which a prompt and its answer are erased.", least=1)
    largest_kb: int = _setting(256, "A call whose prompt and answer are larger together is not kept.", least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole of `mesure.toml`."""

    version: int = _setting(CONFIG_VERSION, "Version of the configuration format.")
    server: ServerSettings = field(default_factory=ServerSettings)
    organisation: OrganisationSettings = field(default_factory=OrganisationSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    otlp: OtlpSettings = field(default_factory=OtlpSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    state: StateSettings = field(default_factory=StateSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    deployments: dict[str, DeploymentSettings] = field(default_factory=dict)
    sensors: dict[str, SensorSettings] = field(default_factory=dict)
    agent: AgentSettings = field(default_factory=AgentSettings)
    budgets: dict[str, BudgetSettings] = field(default_factory=dict)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    receivers: dict[str, ReceiverSettings] = field(default_factory=dict)
    contacts: ContactSettings = field(default_factory=ContactSettings)
    profiles: dict[str, ProfileSettings] = field(default_factory=dict)
    imports: dict[str, ImportSettings] = field(default_factory=dict)
    content: dict[str, ContentSettings] = field(default_factory=dict)
