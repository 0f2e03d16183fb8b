"""Protocols that AI providers speak: what a request and its answer say about use, read from a copy of their bytes.

`choice` finds the reader of a call by its provider's wire, its method and its path. A reader (`call` says what it is)
is a module of plain functions:

- `openai`, `openai_media`, `responses`, `responses_background`, `openai_batches`
- `anthropic`, `anthropic_batches`, `gemini`, `mistral`, `cohere`
- `textgen` (Hugging Face, TGI), `ollama`, `llamacpp`

What several need has a module of its own:

- `sse`, `streams`, `typed_events`   events and lines, cut out of arbitrary chunks and read as they pass
- `usage`        the many spellings of OpenAI's usage object -> fields of `UsageEvent`
- `members`      values taken only when they are what they should be; error codes
- `bodies`, `forms`  a readable copy of a compressed body; the text fields of a form
- `fingerprint`  keyed hashes: pseudonyms, and prompts that can be recognised but not read
"""
