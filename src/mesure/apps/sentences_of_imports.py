"""Sentences and words of imports, told in every language: with `sentences`, which finds them by their pattern."""

from __future__ import annotations

from mesure.i18n import mark

__all__ = ["PLAIN", "WITH_VALUES"]

WITH_VALUES = (
    mark("A record is longer than {size} MB, or the document is not JSON"),
    mark("The Parquet file cannot be read: {reason}"),
    mark("This file looks like several exports: {names}"),
    mark("{name} must be a list of objects"),
    mark("The meter {name} counts tokens in a unit that is not known"),
)

PLAIN = (
    mark("Export fewer rows at a time, or one JSON object per line"),
    mark("The document cannot be read: it is not JSON"),
    mark("The file is JSON, but not text in utf-8"),
    mark("This is a Parquet file, and nothing here reads Parquet"),
    mark("Install it with: pip install 'mesure[server]', or export CSV"),
    mark("No export of this name is known"),
    mark("Say which one with --as NAME"),
    mark("This must be a text"),
    mark("Export the file again"),
    mark("This day cannot be read"),
    mark("usageDetails is not JSON"),
    mark("Export the observations again"),
    mark("Leave the line out with --skip-bad"),
    mark("These metrics do not say when they were read"),
    mark("Write a line `# scraped 2026-11-22T08:00:00Z` before each scrape, or keep timestamps"),
    mark("The time of a scrape cannot be read"),
    mark("OpenAI, usage of the organisation"),
    mark("OpenAI, costs of the organisation"),
    mark("Anthropic, usage report"),
    mark("Anthropic, cost report"),
    mark("Azure OpenAI, metrics of Azure Monitor"),
    mark("Azure, cost and usage details (AI services)"),
    mark("Google Cloud, billing export (Vertex AI, Gemini)"),
    mark("DeepSeek, usage by hour"),
    mark("Langfuse, observations"),
    mark("Helicone, requests"),
    mark("OpenRouter, activity by day"),
    mark("OpenRouter, generations"),
    mark("vLLM, SGLang, TGI or llama.cpp, counters"),
    mark("(period and groups)"),
    mark("(counted by the provider)"),
    mark("(not known)"),
    mark("(money only)"),
    mark("(none)"),
    mark("(a day of UTC)"),
    mark("(the scrape before)"),
    mark("(the scrape)"),
    mark("(the server)"),
)
