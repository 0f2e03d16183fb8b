"""`mesure up`: gateway, pages and committer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, host_option, port_option, spoken_options
from mesure.apps.cli.voice import Voice
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.config import Settings

__all__ = ["command"]


@click.command(cls=Command, name="up", help=mark("Start the gateway and the pages, until Ctrl-C."))
@config_option
@click.option("--upstream", metavar="URL", help=mark("Forward /v1/ to this provider, without a configuration file."))
@host_option
@port_option
@data_option
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help=mark("Processes that relay calls."))
@spoken_options
@click.pass_obj
def command(voice: Voice, /, config: str | None, upstream: str | None, **flags: Any) -> None:
    settings = settings_of(config, upstream, {f"server.{name}": value for name, value in flags.items()})
    _serve(settings, lambda url: announce(voice, settings, url))
    voice.note(voice.t("Stopped. What was recorded is kept in {folder}.", folder=settings.server.data))


def _serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """In this process alone, or in as many as the settings ask for."""
    if settings.server.workers == 1:
        from mesure.apps.server import serve

        serve(settings, on_ready=on_ready)
    else:
        from mesure.apps.cli.own_catalogue import own_file
        from mesure.apps.workers import serve_with_workers

        serve_with_workers(settings, settings.server.workers, catalogue_file=own_file(settings), on_ready=on_ready)


def settings_of(config: str | None, upstream: str | None, flags: dict[str, Any]) -> Settings:
    """The configuration, with the upstream named on the command line as the one default provider."""
    from mesure.config import load_settings

    if upstream is None:
        return load_settings(config, flags=flags)
    configured = load_settings(config).providers
    flags = flags | {f"providers.{name}.default": False for name in configured}
    return load_settings(
        config, flags=flags | {"providers.upstream.base_url": upstream, "providers.upstream.default": True}
    )


def announce(voice: Voice, settings: Settings, url: str) -> None:
    """Where to look, and what an app must set."""
    base = f"{url}v1"
    default = next((name for name, provider in settings.providers.items() if provider.default), None)
    paths = {name: f"{url}providers/{name}" for name in settings.providers}
    voice.emit({"url": url, "base_url": base, "default_provider": default, "providers": paths}, indent=None)
    voice.say(voice.t("Mesure is running: {url}", url=url))
    if default:
        voice.say(voice.t("Point an app at it by setting this, and nothing else (calls go to {name}):", name=default))
        voice.say(f"  OPENAI_BASE_URL={base}")
    for name, path in paths.items():
        if name != default:
            voice.say(f"  {name}: {path}")
    if not paths:
        voice.say(voice.t("No provider is configured: add one to mesure.toml, or start with --upstream URL."))
    voice.say(voice.t("Data: {folder}. Ctrl-C stops it.", folder=settings.server.data))
