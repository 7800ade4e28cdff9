"""Three figures of runs' prototypes side by side: ``python -m tests.benchmarks.prototype_figures RUN [RUN ...]``.

Agreement of the two sensors, what one sensor's prototype tells of the other's, and purity, each with its 95% interval
and what chance gives; then what a reader of the bare figures would get wrong.
"""

import sys
from pathlib import Path

import numpy as np

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import RiceSSLError
from rice_ssl.evaluation.prototype_figures import PrototypeFigures, markdown_table, prototype_figures


def figures_of(run: Path) -> tuple[str, PrototypeFigures]:
    """Name and figures of a run directory."""
    store = RunStore(run)
    info = store.info()
    assigned = store.read_table("prototypes", ["pair_id", "sensor", "prototype", "confidence"])
    assigned = assigned[np.isfinite(assigned["confidence"])]
    labels = store.read_table("manifest", ["pair_id", "label"]).groupby("pair_id")["label"].first()
    logits = store.read_vectors("embeddings", "prototype_logits")
    prototypes = int(assigned["prototype"].max()) + 1 if logits is None else logits.shape[1]
    sensors = [str(sensor["name"]) for sensor in info["sensors"]]
    return str(info["name"]), prototype_figures(assigned, labels, prototypes, sensors)


def main(runs: list[Path]) -> None:
    found = dict(figures_of(run) for run in runs)
    print(markdown_table(found))
    for name, figures in found.items():
        for caution in figures.cautions:
            print(f"\n{name}: {caution}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Name one run directory or more: python -m tests.benchmarks.prototype_figures RUN [RUN ...]")
    try:
        main([Path(argument) for argument in sys.argv[1:]])
    except RiceSSLError as error:
        sys.exit(str(error))
