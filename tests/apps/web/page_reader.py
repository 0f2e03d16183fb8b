"""A page as a test reads it: its elements, and the words people see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

__all__ = ["Node", "plain", "read"]

_VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})
_UNSEEN = frozenset({"style", "script"})


def plain(text: str) -> str:
    """With ordinary spaces only, one at a time."""
    return " ".join(text.replace("\u202f", " ").replace("\u00a0", " ").split())


class Node:
    """One element, with what it holds."""

    def __init__(self, tag: str, attributes: dict[str, str | None], parent: Node | None = None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Node | str] = []

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name) or ""

    @property
    def classes(self) -> list[str]:
        return self["class"].split()

    def walk(self) -> Iterator[Node]:
        """This element, then every one inside it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, *tags: str) -> list[Node]:
        """Elements inside of these kinds; of any kind when none is named."""
        return [node for node in self.walk() if node is not self and (not tags or node.tag in tags)]

    def one(self, tag: str) -> Node:
        (found,) = self.all(tag)
        return found

    def by_id(self, id: str) -> Node:  # noqa: A002
        (found,) = (node for node in self.walk() if node["id"] == id)
        return found

    def pieces(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in _UNSEEN:
                yield from child.pieces()

    @property
    def text(self) -> str:
        return plain(" ".join(self.pieces()))

    @property
    def outline(self) -> list[str]:
        """Its elements by kind, classes left in: what names and figures inside must not change."""
        return [f"{node.tag}.{node['class']}" for node in self.walk()]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.here = Node("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {tag} {attrs}"
        node = Node(tag, dict(attrs), self.here)
        self.here.children.append(node)
        if tag not in _VOID:
            self.here = node

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.here.tag == tag, f"</{tag}> where <{self.here.tag}> is open"
            assert self.here.parent is not None
            self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.here.children.append(data)


def read(html: str) -> Node:
    """The document, each element closed where it was opened."""
    reader = _Reader()
    reader.feed(re.sub(r"^<!doctype html>", "", html, flags=re.IGNORECASE))
    assert reader.here is reader.root, f"<{reader.here.tag}> is not closed"
    return reader.root
