"""Prompts and answers of the use cases that asked for it: encrypted, apart from the ledger, for so many days."""

from mesure.content.store import FILE, Call, Content, Kept, Sought
from mesure.content.texts import answer_text, prompt_messages

__all__ = ["FILE", "Call", "Content", "Kept", "Sought", "answer_text", "prompt_messages"]
