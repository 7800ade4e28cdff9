"""What a card is made of, whatever it is written as."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
Cell = str


@dataclass(frozen=True)
class Paragraph:
    """Text; what stands between two backticks is code."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list; each item as the text of a :class:`Paragraph`."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        caption: what it shows.
        header: of the columns.
        rows: cells, each as the text of a :class:`Paragraph`; the first of a row names it.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Code:
    """Text in several lines, kept as it is; ``language`` for colouring."""

    text: str
    language: str


Block = Paragraph | Bullets | Grid | Code


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Card:
    """A whole card."""

    title: str
    sections: tuple[Section, ...]


def grid(caption: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Grid:
    """A table of anything that can be written."""
    return Grid(caption, tuple(header), tuple(tuple(str(cell) for cell in row) for row in rows))


def pieces(text: str) -> list[tuple[bool, str]]:
    """Text on one line, in pieces of plain text and code (True), in turn; all plain where a backtick has no fellow."""
    line = " ".join(without_controls(text).split())
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return [(False, line)]
    return [(number % 2 == 1, part) for number, part in enumerate(parts) if part]


def without_controls(text: str) -> str:
    """Text without control characters, but for tabs and line ends."""
    return _CONTROL.sub("", text)
