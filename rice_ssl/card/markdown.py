"""A card as Markdown (GitHub's tables), with everything that is not ours escaped."""

from __future__ import annotations

import re

from rice_ssl.card.blocks import Block, Bullets, Card, Code, Grid, Paragraph, pieces, without_controls

_SPECIAL = re.compile(r"[\\*|~`$]|(?<!\w)_|_(?!\w)|\](?=[(\[:])")
"""What could begin emphasis, code, a formula, a cell or a link; an underscore in a word, or brackets alone, cannot."""
_START = re.compile(r"^(\d*)([-+=#]+|[.)])(?=\s|$)")
"""What could begin a list or a heading."""


def to_markdown(card: Card) -> str:
    """The card as Markdown text."""
    parts = [f"# {_inline(card.title)}"]
    for section in card.sections:
        parts.append(f"## {_inline(section.title)}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _inline(text)
        case Bullets(items):
            return "\n".join(f"- {_inline(item)}" for item in items)
        case Code(text, language):
            content = without_controls(text).rstrip("\n")
            longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
            fence = "`" * max(3, longest + 1)
            return f"{fence}{language}\n{content}\n{fence}"
        case Grid(caption, header, rows):
            lines = [header, tuple("---" for _ in header)]
            written = [" | ".join(_inline(cell, cell=True) for cell in row) for row in (lines[0], *rows)]
            rule = " | ".join(lines[1])
            table = "\n".join(f"| {line} |" for line in (written[0], rule, *written[1:]))
            return f"{_inline(caption)}\n\n{table}"


def _inline(text: str, *, cell: bool = False) -> str:
    """One line of text. A bar within code ends a table's cell all the same, so there code is written plainly."""
    found = []
    for is_code, part in pieces(text):
        if is_code and not (cell and "|" in part):
            found.append(f"`{part}`")
        else:
            found.append(_escaped(part))
    return _START.sub(r"\1\\\2", "".join(found))


def _escaped(text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\g<0>", safe)
