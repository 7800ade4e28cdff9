"""Which leaves to look at: those whose maps can be trusted least, and those on which the sensors differ most."""

from __future__ import annotations

import numpy as np

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.evidence.leaf import MOST_LEAVES
from rice_ssl.evidence.read import JUDGES
from rice_ssl.evidence.tables import PairTables


def worst_pairs(store: RunStore, count: int) -> list[str]:
    """Pairs of which one image's Grad-CAM of the last layer exceeds random maps least, the least first.

    Args:
        store: the run.
        count: pairs wanted, 1 to 200; fewer come back where fewer were measured.

    Raises:
        InputError: ``count`` is out of range.
        ArtifactError: ``rice-ssl attribution`` was not called, or left no Grad-CAM.
    """
    _check("--worst", count)
    store.read_document("attribution")  # that it lacks is the first thing to say
    own = [kind for kind in PairTables(store, []).kinds() if kind.method == "grad_cam"]
    if not own:
        raise ArtifactError(
            f"{store.root} has no Grad-CAM that was measured. Add grad_cam to attribution.methods and call "
            f"`rice-ssl attribution {store.root}`."
        )
    trust = store.read_table("trust", ["pair_id", "method", "layer", "score", "random_score"])
    trust = trust[(trust["method"] == "grad_cam") & (trust["layer"] == own[-1].layer)]
    trust = trust.assign(above=trust["score"] - trust["random_score"]).dropna(subset="above")
    order = trust.sort_values(["above", "pair_id"])["pair_id"].drop_duplicates()
    return [str(pair_id) for pair_id in order.head(count)]


def most_divergent_pairs(store: RunStore, count: int) -> list[str]:
    """Pairs on which the first two sensors' probabilities differ most, by Jensen-Shannon divergence, the most first.

    Args:
        store: the run.
        count: pairs wanted, 1 to 200; fewer come back where fewer were judged by two sensors.

    Raises:
        InputError: ``count`` is out of range.
        ArtifactError: nothing was predicted, or by one sensor alone.
    """
    _check("--disagree", count)
    table = next((name for name in JUDGES if store.has(name)), JUDGES[0])
    judged = store.read_table(table, ["pair_id", "sensor", "probabilities"]).drop_duplicates(["pair_id", "sensor"])
    wide = judged.pivot(index="pair_id", columns="sensor", values="probabilities")
    names = [str(sensor["name"]) for sensor in store.info()["sensors"] if sensor["name"] in wide][:2]
    both = wide[names].dropna() if len(names) == 2 else wide.head(0)
    if both.empty:
        raise ArtifactError(
            f"{store.root} has no pair that two sensors judged, so none on which they could disagree: "
            "name pairs with --pairs."
        )
    divergence = jensen_shannon(*(np.stack(both[name].to_list()) for name in names))
    order = np.lexsort((both.index.to_numpy(dtype=str), -divergence))
    return [str(pair_id) for pair_id in both.index[order[:count]]]


def _check(option: str, count: int) -> None:
    if not 1 <= count <= MOST_LEAVES:
        raise InputError(f"{option} is {count}: take 1 to {MOST_LEAVES} leaves.")
