"""Groups of pairs that must stay together, and folds that keep them so: stratified, seeded."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from rice_ssl.errors import InputError


def join_groups(
    pair_ids: Sequence[str], clusters: Iterable[Sequence[str]], sites: Mapping[str, str] | None = None
) -> pd.Series:
    """Join pairs into groups: two pairs of one site, or of one cluster, are in one group (transitively).

    Args:
        pair_ids: all pairs, each once.
        clusters: ids of pairs that belong together, e.g. duplicates; ids that are not in ``pair_ids`` are passed over.
        sites: site of a pair, for the pairs that have one.

    Returns:
        Name of each pair's group, indexed by pair_id: the first site in it, else the first pair's id.
    """
    parent = {pair_id: pair_id for pair_id in pair_ids}
    order = {pair_id: position for position, pair_id in enumerate(pair_ids)}

    def root(pair_id: str) -> str:
        while parent[pair_id] != pair_id:
            parent[pair_id] = parent[parent[pair_id]]
            pair_id = parent[pair_id]
        return pair_id

    def join(members: Iterable[str]) -> None:
        known = [root(pair_id) for pair_id in members if pair_id in parent]
        first = min(known, key=order.__getitem__, default=None)
        for other in known:
            parent[other] = first or other

    site_of = {pair_id: sites[pair_id] for pair_id in pair_ids if pair_id in sites} if sites else {}
    by_site: dict[str, list[str]] = {}
    for pair_id, site in site_of.items():
        by_site.setdefault(site, []).append(pair_id)
    for members in [*by_site.values(), *clusters]:
        join(members)
    names: dict[str, str] = {}
    for pair_id, site in site_of.items():
        names.setdefault(root(pair_id), site)
    taken = set(names.values())
    for pair_id in pair_ids:  # a pair may be called like somebody's site
        names.setdefault(root(pair_id), f"pair {root(pair_id)}" if root(pair_id) in taken else root(pair_id))
    return pd.Series([names[root(pair_id)] for pair_id in pair_ids], index=list(pair_ids), dtype="object")


def assign_folds(labels: pd.Series, groups: pd.Series, *, folds: int, seed: int) -> pd.Series:
    """Give every labelled pair a fold; pairs of one group share theirs.

    Args:
        labels: label of each pair, indexed by pair_id; null where unknown.
        groups: group of each pair, same index.
        folds: how many, >= 2.
        seed: of the shuffle.

    Returns:
        Fold 0..folds-1 of each labelled pair, -1 of the others. Every fold has a pair. Stratified by label as far as
        groups allow; by group alone where that would leave a fold empty or every class is smaller than ``folds``.

    Raises:
        InputError: there are labelled pairs, but fewer groups than folds; or folds is below 2.
    """
    if folds < 2:
        raise InputError(f"folds is {folds}: give 2 or more.")
    found = pd.Series(-1, index=labels.index, dtype="int64")
    known = labels.notna().to_numpy()
    if not known.any():
        return found
    names, where = labels[known].to_numpy(dtype=str), groups[known].to_numpy(dtype=str)
    count = len(set(where))
    if count < folds:
        raise InputError(f"{folds} folds were asked for, but the labelled pairs form {count} groups: take fewer folds.")
    values = None
    if np.unique(names, return_counts=True)[1].max() >= folds:
        values = _split(StratifiedGroupKFold(folds, shuffle=True, random_state=seed), names, where)
    if values is None or len(set(values.tolist())) < folds:
        values = _split(GroupKFold(folds, shuffle=True, random_state=seed), names, where)
    found[known] = values
    return found


def _split(
    splitter: StratifiedGroupKFold | GroupKFold, labels: npt.NDArray[np.str_], groups: npt.NDArray[np.str_]
) -> npt.NDArray[np.int64]:
    """Fold of each pair."""
    values: npt.NDArray[np.int64] = np.full(len(labels), -1, dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class smaller than the folds: reported by the importer
        for fold, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
            values[held_out] = fold
    return values
