"""A card as one HTML page: no scripts, nothing loaded, readable in light and dark."""

from __future__ import annotations

from xml.etree import ElementTree as Tree

from rice_ssl.card.blocks import Block, Bullets, Card, Code, Grid, Paragraph, pieces, without_controls

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2421; --soft: #56625c; --line: #d5dcd8; --back: #fff; --field: #f3f6f4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ece9; --soft: #a3b0aa; --line: #3a4540; --back: #141917; --field: #1f2623; }
}
body { color: var(--ink); background: var(--back); font: 16px/1.55 system-ui, sans-serif; max-width: 62rem;
  margin: 2rem auto; padding: 0 1.25rem; }
h1, h2 { line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
nav ul { columns: 16rem; padding-left: 1.25rem; }
a { color: inherit; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  font-weight: 400; }
thead th { font-weight: 600; }
code, pre { font: .9em/1.5 ui-monospace, monospace; background: var(--field); border-radius: 3px; }
code { padding: .1em .3em; overflow-wrap: anywhere; }
pre { padding: 1rem; overflow-x: auto; }
@media print { body { margin: 0; max-width: none; } nav { display: none; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Told to the browser: nothing but this page's own style and pictures, so no script could run even if one came in."""


def to_html(card: Card) -> str:
    """The card as HTML text. The tree is written by the standard library, which escapes every text."""
    page, main = begin_page(card.title)
    contents = Tree.SubElement(Tree.SubElement(main, "nav", {"aria-label": "Sections"}), "ul")
    for number, section in enumerate(card.sections, start=1):
        link = Tree.SubElement(Tree.SubElement(contents, "li"), "a", href=f"#section-{number}")
        link.text = plain(section.title)
        part = Tree.SubElement(main, "section", id=f"section-{number}")
        write(Tree.SubElement(part, "h2"), section.title)
        for block in section.blocks:
            append(part, block)
    return page_text(page)


def begin_page(title: str, style: str = "") -> tuple[Tree.Element, Tree.Element]:
    """A page with its title as heading, and the element that the rest goes into.

    Args:
        title: as the text of a paragraph.
        style: further CSS; never out of a file.
    """
    page = Tree.Element("html", lang="en")
    head = Tree.SubElement(page, "head")
    Tree.SubElement(head, "meta", charset="utf-8")
    Tree.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    Tree.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    Tree.SubElement(head, "title").text = plain(title)
    Tree.SubElement(head, "style").text = _STYLE + style
    main = Tree.SubElement(Tree.SubElement(page, "body"), "main")
    write(Tree.SubElement(main, "h1"), title)
    return page, main


def page_text(page: Tree.Element) -> str:
    """A page as it is written to a file."""
    return "<!DOCTYPE html>\n" + Tree.tostring(page, encoding="unicode", method="html") + "\n"


def append(parent: Tree.Element, block: Block) -> None:
    """Write a block at the end of an element."""
    match block:
        case Paragraph(text):
            write(Tree.SubElement(parent, "p"), text)
        case Bullets(items):
            listed = Tree.SubElement(parent, "ul")
            for item in items:
                write(Tree.SubElement(listed, "li"), item)
        case Code(text, _):
            Tree.SubElement(parent, "pre").text = without_controls(text)
        case Grid(caption, header, rows):
            around = Tree.SubElement(parent, "div", {"class": "table", "tabindex": "0"})  # scrolled by keyboard, too
            table = Tree.SubElement(around, "table")
            write(Tree.SubElement(table, "caption"), caption)
            top = Tree.SubElement(Tree.SubElement(table, "thead"), "tr")
            for name in header:
                write(Tree.SubElement(top, "th", scope="col"), name)
            body = Tree.SubElement(table, "tbody")
            for row in rows:
                line = Tree.SubElement(body, "tr")
                for place, cell in enumerate(row):
                    write(Tree.SubElement(line, "td") if place else Tree.SubElement(line, "th", scope="row"), cell)


def write(element: Tree.Element, text: str) -> None:
    """Put text into an element, code in elements of its own."""
    last: Tree.Element | None = None
    for is_code, part in pieces(text):
        if is_code:
            last = Tree.SubElement(element, "code")
            last.text = part
        elif last is None:
            element.text = (element.text or "") + part
        else:
            last.tail = (last.tail or "") + part


def plain(text: str) -> str:
    """Text without its marks of code."""
    return "".join(part for _, part in pieces(text))
