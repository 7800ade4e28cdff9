"""What an audit looked at, and what it could not, from ``audit.json``: no finding is good news of the former alone."""

from __future__ import annotations

from typing import Any

from rice_ssl.card.facts import section

ALWAYS = ("images (exposure, blur, saturation)", "duplicates")
"""What every audit looks at."""


def looked_at(document: dict[str, Any]) -> str:
    """What was judged, and labels by what, in a list of words.

    Args:
        document: contents of ``audit.json``.
    """
    found = list(ALWAYS)
    if section(document, "registration").get("pairs"):
        found.append("shifts between sensors")
    if _source(document, "wrong_pairs"):
        found.append("wrong pairs")
    if source := _source(document, "labels"):
        found.append(f"labels (judged by {source})")
    return f"{', '.join(found[:-1])} and {found[-1]}"


def not_looked_at(document: dict[str, Any]) -> list[str]:
    """What was not judged and why, a sentence each; empty where everything was.

    Args:
        document: contents of ``audit.json``.
    """
    told = {"labels": "Labels were not judged.", "wrong_pairs": "Wrong pairs were not looked for."}
    return [
        str(section(document, name).get("note") or otherwise)
        for name, otherwise in told.items()
        if not _source(document, name)
    ]


def _source(document: dict[str, Any], name: str) -> str:
    """What a kind was judged by; empty where it was not."""
    source = section(document, name).get("source")
    return source if isinstance(source, str) and source != "none" else ""
