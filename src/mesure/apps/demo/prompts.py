"""Requests for each use case. A base model only continues text: worked examples and stop words make it answer."""

from __future__ import annotations

from typing import Any, NamedTuple

from mesure.apps.demo.messages import Message, read_examples

__all__ = ["Request", "Target", "request_for"]

_FRAMES = {
    ("intent", "fr"): "{question} => {answer}",
    ("intent", "en"): "{question} => {answer}",
    ("reply", "fr"): "Client : {question}\nConseiller : {answer}\n",
    ("reply", "en"): "Customer: {question}\nAdviser: {answer}\n",
    ("summary", "fr"): "Appel : {question}\nRésumé : {answer}\n",
    ("summary", "en"): "Call: {question}\nSummary: {answer}\n",
    ("translation", "fr"): "Français : {question}\nAnglais : {answer}\n",
    ("translation", "en"): "English: {question}\nFrench: {answer}\n",
}
_MOST_TOKENS = {"intent": 6, "reply": 48, "summary": 32, "translation": 40}


class Target(NamedTuple):
    """Who answers: names of its models, and whether it takes bare completions (remote chat models do not)."""

    model: str
    embeddings_model: str | None = None
    completions: bool = True


class Request(NamedTuple):
    """A path under /v1 and the JSON body to post there."""

    path: str
    body: dict[str, Any]


def request_for(message: Message, target: Target) -> Request | None:
    """The call that the use case makes; `None` when the target offers no embeddings."""
    if message.use_case == "faq-search":
        if target.embeddings_model is None:
            return None
        return Request("/embeddings", {"model": target.embeddings_model, "input": message.text})
    examples, question = _prompt(message)
    body: dict[str, Any] = {
        "model": target.model,
        "max_tokens": _MOST_TOKENS[message.use_case],
        "temperature": 0,
        "stop": ["\n"],
    }
    if message.use_case == "intent" and target.completions:
        return Request("/completions", body | {"prompt": f"{examples}\n{question}"})
    body["messages"] = [{"role": "system", "content": examples}, {"role": "user", "content": question}]
    if message.stream:
        body["stream"] = True
    return Request("/chat/completions", body)


def _prompt(message: Message) -> tuple[str, str]:
    frame = _FRAMES[message.use_case, message.language]
    examples = read_examples()[message.use_case, message.language]
    shown = "\n".join(frame.format(question=example.question, answer=example.answer) for example in examples)
    return shown, frame.format(question=message.text, answer="").rstrip()
