"""The pages: server-rendered, French and English, live by server-sent events, readable without scripts."""

from mesure.apps.web.app import create_web

__all__ = ["create_web"]
