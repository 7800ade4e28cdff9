"""A card as HTML: well formed, nothing loaded, everything escaped."""

from html.parser import HTMLParser

import pytest

from rice_ssl.card.blocks import Bullets, Card, Code, Paragraph, Section, grid
from rice_ssl.card.html import to_html
from tests.card.test_markdown import NASTY

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Tags in order, each closed in turn, and the text of each."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts, self.attributes = [], [], {}, []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data


def read(card):
    reader = Reader()
    text = to_html(card)
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert text.startswith("<!DOCTYPE html>\n<html")
    return reader


def one(*blocks, title="T"):
    return Card(title, (Section("S", blocks),))


def test_every_block():
    card = one(
        Paragraph("Make it with `a b`, then `c`."),
        Bullets(("first", "second")),
        grid("Caption", ("A", "B"), [["`a`", 1], ["0.5 [0.4, 0.6]", "x_y"]]),
        Code("k: <1>\nl: 2\n", "yaml"),
    )
    found = read(card)
    assert found.texts["p"] == ["Make it with a b, then c."]
    assert found.texts["code"] == ["a b", "c", "a"]
    assert found.texts["li"] == ["S", "first", "second"]
    assert found.texts["caption"] == ["Caption"]
    assert found.texts["th"] == ["A", "B", "a", "0.5 [0.4, 0.6]"]
    assert found.texts["td"] == ["1", "x_y"]
    assert found.texts["pre"] == ["k: <1>\nl: 2\n"]
    assert found.texts["title"] == found.texts["h1"] == ["T"]
    assert ("href", "#section-1") in found.attributes
    assert ("id", "section-1") in found.attributes


@pytest.mark.parametrize("text", [*NASTY, '"><img src=x onerror=alert(1)>', "</style><script>x</script>", "</pre>"])
def test_what_others_wrote_is_text(text):
    plain = read(one(Paragraph("x"), grid("x", ("x", "B"), [["x", "b"]]), Code("x", ""), title="x"))
    found = read(one(Paragraph(text), grid(text, (text, "B"), [[text, "b"]]), Code(text, ""), title=text))
    assert found.tags == plain.tags
    expected = " ".join("".join(c for c in text if c in "\n\r\t" or c >= " ").split())
    assert found.texts["title"] == found.texts["h1"] == found.texts["p"] == found.texts["caption"] == [expected]


def test_nothing_is_loaded_or_run_and_both_schemes_are_there():
    card = one(Paragraph("x"))
    found, text = read(card), to_html(card)
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in {"src", "style"}]
    assert all(value.startswith("#") for name, value in found.attributes if name == "href")
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "url(" not in text
    assert "@import" not in text
