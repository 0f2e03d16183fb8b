"""Servers of one's own: Ollama, TGI and Hugging Face's router, llama.cpp, vLLM."""

from __future__ import annotations

from typing import Any

from clients import anthropic_client, http, huggingface_client, listed, ollama_client, openai_client, plain
from replay import EVENTS, Exchange, first, lines, sse

_OLLAMA = ("https://github.com/ollama/ollama/blob/main/docs/api.md", "2026-11-22")
_TGI = ("https://huggingface.github.io/text-generation-inference/", "2026-11-22")
_ROUTER = ("https://huggingface.co/docs/inference-providers/tasks/chat-completion", "2026-11-22")
_LLAMA = ("https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md", "2026-11-22")
_VLLM = ("https://docs.vllm.ai/en/latest/serving/openai_compatible_server/", "2026-11-22")
_MESSAGES: list[Any] = [{"role": "user", "content": "Où est mon colis ?"}]

# Ollama

_TIMES = {
    "total_duration": 900_000_000,
    "load_duration": 10_000_000,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 100_000_000,
    "eval_count": 31,
    "eval_duration": 700_000_000,
}
_NOW = {"model": "qwen3:4b", "created_at": "2026-11-22T10:00:00Z"}


def _said(word: str) -> dict[str, Any]:
    return {**_NOW, "message": {"role": "assistant", "content": word}, "done": False}


_LAST = {**_NOW, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", **_TIMES}
_STREAM = lines([*map(_said, ("Votre", ' "done":true', " arrive", " 🙂.")), _LAST])
_TOOL_CALL = {"function": {"name": "find_parcel", "arguments": {"number": "R-4471", "done": False}}}
_CHAT = {
    "operation": "chat",
    "model_requested": "qwen3:4b",
    "model_answered": "qwen3:4b",
    "input_tokens": 26,
    "output_tokens": 31,
    "finish_reason": "stop",
}


def _ollama(name: str, make: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    media = "application/x-ndjson" if isinstance(answer, tuple) else "application/json; charset=utf-8"
    given = {"path": "/api/chat", "media_type": media, **more}
    return Exchange(name, "ollama", _OLLAMA, call=ollama_client(make), answer=answer, booked=booked, **given)


_OLLAMA_EXCHANGES = [
    _ollama(
        "chat",
        lambda client: plain(client.chat("qwen3:4b", _MESSAGES, options={"num_predict": 64})),
        {**_LAST, "message": {"role": "assistant", "content": "Votre colis arrive."}},
        {**_CHAT, "stream": False, "max_output_tokens": 64},
    ),
    _ollama(
        "stream",
        lambda client: listed(client.chat("qwen3:4b", _MESSAGES, stream=True)),
        _STREAM,
        {**_CHAT, "stream": True},
    ),
    _ollama(
        "stream with tools, whose arguments say done",
        lambda client: listed(client.chat("qwen3:4b", _MESSAGES, stream=True)),
        lines([{**_LAST, "message": {"role": "assistant", "content": "", "tool_calls": [_TOOL_CALL]}}]),
        {**_CHAT, "stream": True},
    ),
    _ollama(
        "stream truncated",
        lambda client: listed(client.chat("qwen3:4b", _MESSAGES, stream=True)),
        first(_STREAM, 3),
        {"operation": "chat", "model_requested": "qwen3:4b", "stream": True, "status": "truncated", "output_tokens": 3,
         "tokens_reported": False},
        broken=True,
    ),
    _ollama(
        "stream that fails",
        lambda client: listed(client.chat("qwen3:4b", _MESSAGES, stream=True)),
        (*first(_STREAM, 2), *lines([{"error": "the runner stopped while reading: Où est mon colis"}])),
        {"operation": "chat", "stream": True, "status": "error", "error_type": "unknown"},
    ),
    _ollama(
        "generate",
        lambda client: plain(client.generate("qwen3:4b", "Bonjour")),
        {**_NOW, "response": "Bonjour.", "done": True, "done_reason": "length", "context": [1, 2], **_TIMES},
        {**_CHAT, "operation": "completion", "finish_reason": "length", "stream": False},
        path="/api/generate",
    ),
    _ollama(
        "generate streamed",
        lambda client: listed(client.generate("qwen3:4b", "Bonjour", stream=True)),
        lines(
            [
                {**_NOW, "response": "Bon", "done": False},
                {**_NOW, "response": "jour.", "done": False},
                {**_NOW, "response": "", "done": True, "done_reason": "stop", "context": [1, 2], **_TIMES},
            ]
        ),
        {**_CHAT, "operation": "completion", "stream": True},
        path="/api/generate",
    ),
    _ollama(
        "embed",
        lambda client: plain(client.embed("nomic-embed-text", ["colis", "retard"])),
        {
            "model": "nomic-embed-text",
            "embeddings": [[0.25, -0.5], [0.125, 0.75]],
            "total_duration": 14_000_000,
            "load_duration": 1_000_000,
            "prompt_eval_count": 8,
        },
        {"operation": "embeddings", "input_tokens": 8, "input_items": 2, "model_answered": "nomic-embed-text"},
        path="/api/embed",
    ),
    _ollama(
        "refused",
        lambda client: plain(client.chat("qwen3:4b", _MESSAGES)),
        {"error": "model 'qwen3:4b' not found"},
        {"status": "error", "error_type": "unknown", "http_status": 404},
        status=404,
    ),
    _ollama("a list of models is no call", lambda client: plain(client.list()), {"models": []}, None,
        path="/api/tags", method="GET"),
]  # fmt: skip

# Hugging Face: text-generation (TGI) and the router

_DETAILS = {
    "finish_reason": "eos_token",
    "generated_tokens": 17,
    "seed": None,
    "prefill": [{"id": index, "text": "x", "logprob": -0.5} for index in range(6)],
    "tokens": [{"id": 9, "text": "Oui", "logprob": -0.1, "special": False}],
}


def _token(index: int, text: str, **more: Any) -> dict[str, Any]:
    token = {"id": 40 + index, "text": text, "logprob": -0.1, "special": False}
    return {"index": index, "token": token, "generated_text": None, "details": None, **more}


_WRITTEN = [_token(1, "Votre"), _token(2, " colis"), _token(3, ' "details":{')]
_ENDED = {"finish_reason": "length", "generated_tokens": 4, "input_length": 21, "seed": None}


def _generate(**more: Any) -> Any:
    def make(client: Any) -> Any:
        answer = client.text_generation("Bonjour", max_new_tokens=20, **more)
        return listed(answer) if more.get("stream") else plain(answer)

    return huggingface_client(make)


def _tgi(name: str, call: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    media = EVENTS if isinstance(answer, tuple) else "application/json"
    given = {"path": "/", "media_type": media, "wire": "tgi", "source": _TGI, **more}
    return Exchange(name, call=call, answer=answer, booked=booked, **given)


_COMPLETION = {"operation": "completion", "max_output_tokens": 20}

_HF_EXCHANGES = [
    _tgi(
        "generation with details",
        _generate(details=True, decoder_input_details=True),
        [{"generated_text": "Oui", "details": _DETAILS}],
        {**_COMPLETION, "input_tokens": 6, "output_tokens": 17, "finish_reason": "eos_token"},
    ),
    _tgi(
        "generation told by its headers",
        _generate(),
        [{"generated_text": "Oui"}],
        {**_COMPLETION, "input_tokens": 12, "output_tokens": 20, "tokens_reported": True},
        headers={"x-prompt-tokens": "12", "x-generated-tokens": "20", "x-compute-type": "gpu"},
    ),
    _tgi(
        "generation that tells nothing",
        _generate(),
        [{"generated_text": "Oui"}],
        {**_COMPLETION, "tokens_reported": None},
    ),
    _tgi(
        "generation streamed with details",
        _generate(details=True, stream=True),
        sse([*_WRITTEN, _token(4, ".", generated_text="Votre colis.", details=_ENDED)]),
        {**_COMPLETION, "input_tokens": 21, "output_tokens": 4, "finish_reason": "length", "stream": True},
    ),
    _tgi(
        "generation streamed without: tokens are counted here",
        _generate(stream=True),
        sse([*_WRITTEN, _token(4, ".", generated_text="Votre colis.")]),
        {**_COMPLETION, "output_tokens": 4, "tokens_reported": False, "stream": True},
    ),
    _tgi(
        "generation truncated",
        _generate(stream=True),
        first(sse(_WRITTEN), 2),
        {**_COMPLETION, "stream": True, "status": "truncated", "output_tokens": 2, "tokens_reported": False},
        broken=True,
    ),
    _tgi(
        "generation that fails in its stream",
        _generate(stream=True),
        (*first(sse(_WRITTEN), 1), *sse([{"error": "Request failed: Bonjour", "error_type": "generation"}])),
        {**_COMPLETION, "stream": True, "status": "error", "error_type": "generation"},
    ),
    _tgi(
        "generation refused",
        _generate(),
        {"error": "Input validation error: Bonjour", "error_type": "validation"},
        {**_COMPLETION, "status": "error", "error_type": "validation"},
        status=422,
    ),
    _tgi(
        "generation by the router's task",
        huggingface_client(lambda client: plain(client.text_generation("Bonjour")), "/models/google/gemma-2-2b"),
        [{"generated_text": "Oui"}],
        {"operation": "completion", "model_requested": "google/gemma-2-2b"},
        path="/models/google/gemma-2-2b",
        wire="huggingface",
    ),
    _tgi(
        "embedding by the router's task",
        huggingface_client(
            lambda client: client.feature_extraction("colis").tolist(),
            "/models/BAAI/bge-m3/pipeline/feature-extraction",
        ),
        [[0.25, -0.5]],
        {"operation": "embeddings", "model_requested": "BAAI/bge-m3", "input_items": 1},
        path="/models/BAAI/bge-m3/pipeline/feature-extraction",
        wire="huggingface",
    ),
    _tgi(
        "chat by the router",
        huggingface_client(
            lambda client: plain(client.chat_completion(_MESSAGES, model="Qwen/Qwen3-32B:groq", max_tokens=60)), "/v1"
        ),
        {
            "id": "chatcmpl-0router0mesure0exchange1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "qwen/qwen3-32b",
            "system_fingerprint": "",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Oui."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 18, "completion_tokens": 3, "total_tokens": 21},
        },
        {
            "operation": "chat",
            "model_requested": "Qwen/Qwen3-32B:groq",
            "model_answered": "qwen/qwen3-32b",
            "input_tokens": 18,
            "output_tokens": 3,
        },
        path="/v1/chat/completions",
        wire="huggingface",
        source=_ROUTER,
    ),
]

# llama.cpp and vLLM

_TIMINGS = {"cache_n": 236, "prompt_n": 14, "prompt_ms": 30.9, "predicted_n": 35, "predicted_ms": 661.0}
_ENDING = {
    "index": 0,
    "content": "",
    "tokens": [],
    "id_slot": 0,
    "stop": True,
    "model": "gemma-3-270m",
    "tokens_predicted": 35,
    "tokens_evaluated": 250,
    "truncated": False,
    "stop_type": "limit",
    "stopping_word": "",
    "tokens_cached": 284,
    "timings": _TIMINGS,
}
_PIECES = [
    {"index": 0, "content": word, "tokens": [7], "stop": False, "tokens_predicted": n, "tokens_evaluated": 250}
    for n, word in enumerate(("Votre", ' "stop":true', " colis"), 1)
]
_LLAMA_BOOKED = {
    "operation": "completion",
    "model_answered": "gemma-3-270m",
    "input_tokens": 250,
    "cached_input_tokens": 236,
    "output_tokens": 35,
    "finish_reason": "limit",
    "max_output_tokens": 35,
}
_VLLM_CHAT = {
    "id": "chatcmpl-0vllm0mesure0exchange0001",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "Qwen/Qwen3-8B",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Oui.", "reasoning_content": "Il attend."},
            "finish_reason": "stop",
            "stop_reason": None,
        }
    ],
    "usage": {"prompt_tokens": 50, "total_tokens": 90, "completion_tokens": 40, "prompt_tokens_details": None},
    "prompt_logprobs": None,
}

_SERVER_EXCHANGES = [
    Exchange(
        "completion, most of its prompt cached",
        "llama.cpp",
        _LLAMA,
        "/completion",
        http("POST", "/completion", {"prompt": "Bonjour", "n_predict": 35}),
        {**_ENDING, "content": "Votre colis"},
        {**_LLAMA_BOOKED, "stream": False},
    ),
    Exchange(
        "completion streamed",
        "llama.cpp",
        _LLAMA,
        "/completion",
        http("POST", "/completion", {"prompt": "Bonjour", "n_predict": 35, "stream": True}),
        sse([*_PIECES, _ENDING]),
        {**_LLAMA_BOOKED, "stream": True},
        media_type=EVENTS,
    ),
    Exchange(
        "completion truncated: its pieces are counted, its running counts are not read",
        "llama.cpp",
        _LLAMA,
        "/completion",
        http("POST", "/completion", {"prompt": "Bonjour", "stream": True}),
        first(sse(_PIECES), 2),
        {
            "operation": "completion",
            "stream": True,
            "status": "truncated",
            "output_tokens": 2,
            "tokens_reported": False,
        },
        media_type=EVENTS,
        broken=True,
    ),
    Exchange(
        "chat of vLLM",
        "vllm",
        _VLLM,
        "/v1/chat/completions",
        openai_client(lambda client: plain(client.chat.completions.create(model="Qwen/Qwen3-8B", messages=_MESSAGES))),
        _VLLM_CHAT,
        {"operation": "chat", "model_answered": "Qwen/Qwen3-8B", "input_tokens": 50, "output_tokens": 40},
    ),
    Exchange(
        "rerank of vLLM, without a client of its own",
        "vllm",
        _VLLM,
        "/v1/rerank",
        http("POST", "/rerank", {"model": "BAAI/bge-reranker-v2-m3", "query": "colis", "documents": ["a", "b", "c"]}),
        {
            "id": "rerank-0mesure0exchange0000000001",
            "model": "BAAI/bge-reranker-v2-m3",
            "usage": {"total_tokens": 56, "prompt_tokens": 56},
            "results": [{"index": 0, "document": {"text": "a"}, "relevance_score": 0.9}],
        },
        {
            "operation": "rerank",
            "model_answered": "BAAI/bge-reranker-v2-m3",
            "input_tokens": 56,
            "input_items": 3,
        },
    ),
    Exchange(
        "messages of vLLM",
        "vllm",
        _VLLM,
        "/v1/v1/messages",
        anthropic_client(
            lambda client: plain(client.messages.create(model="Qwen/Qwen3-8B", max_tokens=90, messages=_MESSAGES))
        ),
        {
            "id": "msg_0vllm0mesure0exchange0001",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Oui."}],
            "model": "Qwen/Qwen3-8B",
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 33, "output_tokens": 5},
        },
        {"operation": "chat", "model_answered": "Qwen/Qwen3-8B", "input_tokens": 33, "output_tokens": 5},
    ),
]

EXCHANGES = [*_OLLAMA_EXCHANGES, *_HF_EXCHANGES, *_SERVER_EXCHANGES]
