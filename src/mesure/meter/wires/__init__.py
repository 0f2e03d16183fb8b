"""Protocols that AI providers speak: what a request and its answer say about use, read from a copy of their bytes.

Each wire is a module of plain functions (`openai` today); what several need has a module of its own:

- `sse`          server-sent events, cut out of arbitrary chunks
- `usage`        the many spellings of a usage object -> fields of `UsageEvent`
- `bodies`       a readable copy of a compressed body
- `fingerprint`  keyed hashes: pseudonyms, and prompts that can be recognised but not read
"""
