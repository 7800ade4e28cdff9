"""``rice-ssl card``: the model card of a run."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.card.build import build_card
from rice_ssl.card.html import to_html
from rice_ssl.card.markdown import to_markdown

MARKDOWN, HTML = "card.md", "card.html"


@dataclass(frozen=True)
class CardSummary:
    """What was written."""

    markdown: str
    html: str
    sections: int

    def text(self) -> str:
        """Readable summary."""
        return f"{self.sections} sections in {self.markdown} and {self.html}"


def run_card(store: RunStore) -> CardSummary:
    """Write ``card.md`` and ``card.html`` from what the run directory holds now; both, or neither.

    Raises:
        ArtifactError: there is no run, or it has no manifest that can be read.
    """
    noted = store.info().get("config")
    card = build_card(store, yaml.safe_dump(noted, sort_keys=False, allow_unicode=True))
    written = {MARKDOWN: to_markdown(card), HTML: to_html(card)}
    with atomic_path(store.root / MARKDOWN) as markdown, atomic_path(store.root / HTML) as html:
        markdown.write_text(written[MARKDOWN], encoding="utf-8")
        html.write_text(written[HTML], encoding="utf-8")
    for name in written:
        store.note_hash(name)
    paths = [(store.root / name).as_posix() for name in written]
    return CardSummary(paths[0], paths[1], len(card.sections))
