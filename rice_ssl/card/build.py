"""The card of a run.

Sections follow Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993), in their order. Differs:
disaggregation is by split, sensor and class, since a run knows no other factor; bands, the audit,
the origin of files and the configuration are sections of their own.
"""

from __future__ import annotations

from rice_ssl.artifacts import RunStore
from rice_ssl.card import data_sections, figure_sections, recipe_sections
from rice_ssl.card.blocks import Card, Paragraph, Section
from rice_ssl.card.facts import Facts, read_facts
from rice_ssl.card.limits import caveats


def build_card(store: RunStore, yaml: str) -> Card:
    """The card of a run as it is now; what is missing is named with the command that makes it.

    Args:
        store: the run.
        yaml: its configuration, as text.

    Raises:
        ArtifactError: there is no run, or it has no manifest that can be read.
    """
    facts = read_facts(store)
    return Card(
        f"Model card: {facts.info.get('name', store.root.name)}",
        (
            _summary(facts),
            recipe_sections.details(facts),
            recipe_sections.intended_use(facts),
            data_sections.factors(facts),
            figure_sections.metrics(facts),
            data_sections.evaluation_data(facts),
            data_sections.training_data(facts),
            figure_sections.analyses(facts),
            figure_sections.channels(facts),
            figure_sections.attribution(facts),
            data_sections.audit(facts),
            recipe_sections.ethics(facts),
            caveats(facts),
            recipe_sections.provenance(facts),
            recipe_sections.configuration(yaml),
        ),
    )


def _summary(facts: Facts) -> Section:
    """In one paragraph: simulated or not, how many pairs, and the figure to look at first."""
    kind = "simulated pairs" if facts.info.get("simulated") else "pairs"
    text = f"{len(facts.pairs)} {kind}, {len(facts.labelled)} of them with one of {len(facts.classes)} classes."
    headline = figure_sections.headline(facts)
    return Section("In short", (Paragraph(f"{text} {headline}"),))
