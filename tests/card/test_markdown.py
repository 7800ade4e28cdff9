"""A card as Markdown: by hand, and as a Markdown reader reads it."""

import pytest

from rice_ssl.card.blocks import Bullets, Card, Code, Paragraph, Section, grid
from rice_ssl.card.markdown import to_markdown


def one(*blocks, title="T"):
    return Card(title, (Section("S", blocks),))


def test_every_block_by_hand():
    card = one(
        Paragraph("Make it with `a b`."),
        Bullets(("first", "second `x`")),
        grid("Caption", ("A", "B"), [["`a`", 1], ["0.5 [0.4, 0.6]", "x_y"]]),
        Code("k: 1\nl: 2\n", "yaml"),
    )
    assert to_markdown(card) == (
        "# T\n\n## S\n\nMake it with `a b`.\n\n- first\n- second `x`\n\nCaption\n\n"
        "| A | B |\n| --- | --- |\n| `a` | 1 |\n| 0.5 [0.4, 0.6] | x_y |\n\n```yaml\nk: 1\nl: 2\n```\n"
    )


NASTY = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](http://e.example/x.png)",
    "[x]: http://e.example",
    "*a* **b** _c_ ~~d~~",
    "# heading",
    "1. item",
    "- item",
    "a | b",
    "back\\slash `lone",
    "line\n\n# break\r\n- x",
    "&lt; &amp;",
    "\x00\x1b[31m red",
    "> quote",
]


@pytest.mark.parametrize("text", NASTY)
def test_what_others_wrote_is_text_to_a_markdown_reader(text):
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = reader.parse(to_markdown(one(Paragraph(text), grid(text, (text, "B"), [[text, "b"]]), title=text)))
    kinds = [token.type for token in tokens]
    assert kinds.count("heading_open") == 2
    assert not {"html_block", "bullet_list_open", "ordered_list_open", "blockquote_open", "hr"} & set(kinds)
    inline = [token for token in tokens if token.type == "inline"]
    children = {child.type for token in inline for child in token.children}
    assert children <= {"text", "text_special"}
    assert len(inline) == 8  # title, section, paragraph, caption, and four cells
    seen = {"".join(child.content for child in token.children) for token in inline}
    expected = " ".join("".join(c for c in text if c in "\n\r\t" or c >= " ").split())
    assert seen == {expected, "S", "B", "b"}


def test_code_that_holds_fences_stays_code():
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    content = "a: |\n  ```\n  # no heading\n  ````\n"
    tokens = reader.parse(to_markdown(one(Code(content, "yaml"))))
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert fence.content == content


def test_a_dollar_begins_no_formula():
    assert to_markdown(one(Paragraph("costs $5 to $6"))).endswith("costs \\$5 to \\$6\n")


def test_a_bar_in_a_cells_code_does_not_end_the_cell():
    assert "| a\\|b | c |" in to_markdown(one(grid("G", ("A", "B"), [["`a|b`", "c"]])))
