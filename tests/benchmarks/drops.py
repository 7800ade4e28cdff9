"""Our search for drops beside ruptures, over 1,000 generated logs: recall, precision, coverage, false alarms, cost.

Half of the logs hold one drop of known place, size and shape, half hold none; they differ in length, trend, noise and
in what happened to their logging (``tests/dynamics/generated_logs.py``). ruptures has no notion of a drop: its
segments' borders count as drops where the level falls by twice the noise and a fiftieth of the range, the least sizes
that ours asks for. Every contender runs in a process of its own; ``read`` only makes the logs, as the floor of time and
memory. Prints one table; ``--figure`` also draws recall against size.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.dynamics.generated_logs import SIZES, GeneratedLog, generated_log

Found = list[tuple[float, float | None, float | None]]
"""Step of each drop, and its interval where there is one."""
LEAST_SEGMENT = 5
MATCH = 0.02
"""A drop is found when it is placed within this share of the log of its fall."""


def noise_of(values: np.ndarray) -> float:
    """Standard deviation of white noise, from second differences."""
    return max(1.4826 * float(np.median(np.abs(np.diff(values, 2)))) / math.sqrt(6), 1e-12)


def read(log: GeneratedLog) -> Found:
    """Nothing: the floor."""
    return []


def ours(log: GeneratedLog) -> Found:
    """The search with its defaults."""
    from rice_ssl.dynamics.change_points import find_drops

    return [(drop.step, drop.step_low, drop.step_high) for drop in find_drops(log.steps, log.values).drops]


def ruptures_l2(log: GeneratedLog) -> Found:
    """Pelt on the means (the C implementation), penalty 2 ln n (BIC: a place and a mean a segment)."""
    import ruptures

    scaled = log.values / noise_of(log.values)
    borders = (
        ruptures.KernelCPD(kernel="linear", min_size=LEAST_SEGMENT).fit(scaled).predict(pen=2 * math.log(len(scaled)))
    )
    return _falls(log, borders[:-1], degree=0)


def ruptures_linear(log: GeneratedLog) -> Found:
    """Binary segmentation on lines, penalty 3 ln n (BIC: a place, a level and a slope a segment)."""
    import ruptures

    scaled = log.values / noise_of(log.values)
    count = len(scaled)
    signal = np.column_stack([scaled, np.ones(count), np.linspace(-1, 1, count)])
    search = ruptures.Binseg(model="linear", min_size=LEAST_SEGMENT, jump=max(1, count // 200)).fit(signal)
    return _falls(log, search.predict(pen=3 * math.log(count))[:-1], degree=1)


def _falls(log: GeneratedLog, borders: Sequence[int], *, degree: int) -> Found:
    """Borders at which the level falls, read off the polynomials on either side."""
    steps, values = log.steps, log.values
    least = max(2 * noise_of(values), 0.02 * float(np.ptp(np.quantile(values, [0.005, 0.995]))))
    ends = [0, *borders, len(values)]
    found: Found = []
    for before, border, after in zip(ends, ends[1:], ends[2:], strict=False):
        middle = (steps[border - 1] + steps[border]) / 2
        levels = [
            np.polynomial.Polynomial.fit(steps[part], values[part], degree)(middle)
            for part in (slice(before, border), slice(border, after))
        ]
        if levels[0] - levels[1] >= least:
            found.append((float(steps[border]), None, None))
    return found


CONTENDERS: dict[str, Callable[[GeneratedLog], Found]] = {
    "read": read,
    "ours": ours,
    "ruptures l2": ruptures_l2,
    "ruptures linear": ruptures_linear,
}


@dataclasses.dataclass
class Tally:
    """Counts of one contender over some logs."""

    logs: int = 0
    alarmed: int = 0
    found: int = 0
    hits: int = 0
    event: int = 0
    whole: int = 0
    width: float = 0.0

    def add(self, log: GeneratedLog, found: Found) -> None:
        """Compare what was found in a log with what is in it."""
        self.logs += 1
        self.found += len(found)
        self.alarmed += bool(found)
        span, row = float(log.steps[-1] - log.steps[0]), float(np.median(np.diff(log.steps)))
        slack = max(MATCH * span, 2 * row)
        for true in log.drops:
            near = [drop for drop in found if true.event - slack <= drop[0] <= true.end + slack]
            if not near:
                continue
            self.hits += 1
            _, low, high = min(near, key=lambda drop: abs(drop[0] - true.event))
            if low is not None and high is not None:
                self.event += bool(low - row <= true.event <= high + row)  # give or take a row, as events are matched
                self.whole += bool(low <= true.onset and true.end <= high)
                self.width += (high - low) / span


def measure(name: str, logs: int, seed: int) -> dict[str, object]:
    """Run one contender over all logs; counts by size of the drop (``none`` without), seconds and peak memory."""
    tallies: dict[str, Tally] = {}
    seconds = 0.0
    for number in range(logs):
        log = generated_log(seed + number // 2, drop=bool(number % 2))
        begun = time.process_time()
        found = CONTENDERS[name](log)
        seconds += time.process_time() - begun
        groups = [f"{drop.size:g}" for drop in log.drops] or ["none"]
        groups += [f"shape {drop.shape}" for drop in log.drops] or [f"trend {log.trend}", f"noise {log.noise}"]
        for group in groups:
            tallies.setdefault(group, Tally()).add(log, found)
    return {
        "seconds": seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        "tallies": {group: dataclasses.asdict(tally) for group, tally in tallies.items()},
    }


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927)."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def share(hits: int, count: int, digits: int = 0) -> str:
    """A share with its interval, in percent."""
    if count == 0:
        return "-"
    low, high = wilson(hits, count)
    return f"{100 * hits / count:.{digits}f} ({100 * low:.{digits}f}-{100 * high:.{digits}f})"


def total(tallies: dict[str, Tally], groups: Sequence[str]) -> Tally:
    """Sum over groups."""
    chosen = [tallies.get(group, Tally()) for group in groups]
    return Tally(*(sum(getattr(tally, field.name) for tally in chosen) for field in dataclasses.fields(Tally)))


def table(results: dict[str, dict[str, object]]) -> list[str]:
    """The table as lines of Markdown."""
    tallies = {
        name: {group: Tally(**counts) for group, counts in result["tallies"].items()}  # type: ignore[attr-defined]
        for name, result in results.items()
        if name != "read"
    }
    sizes = [f"{size:g}" for size in SIZES]
    lines = ["| | " + " | ".join(tallies) + " |", "|---|" + "---|" * len(tallies)]

    def row(title: str, of: Callable[[dict[str, Tally]], str]) -> None:
        lines.append(f"| {title} | " + " | ".join(of(groups) for groups in tallies.values()) + " |")

    for size in sizes:
        row(f"recall %, {size} x noise", lambda groups, s=size: share(groups[s].hits, groups[s].logs))
    for size in sizes:
        row(f"precision %, {size} x noise", lambda groups, s=size: share(groups[s].hits, groups[s].found))
    row("precision %, all logs", lambda g: share(total(g, sizes).hits, total(g, [*sizes, "none"]).found))
    row("false alarms %, logs without a drop", lambda g: share(g["none"].alarmed, g["none"].logs, 1))
    ours_only = tallies["ours"]
    every = total(ours_only, sizes)
    blank = " | ".join("no interval" for _ in range(len(tallies) - 1))
    lines.append(f"| interval holds the event % | {share(every.event, every.hits)} | {blank} |")
    lines.append(f"| interval holds the whole fall % | {share(every.whole, every.hits)} | {blank} |")
    for group in sorted(group for group in ours_only if group.startswith("shape ")):
        tally = ours_only[group]
        lines.append(f"| whole fall %, {group.removeprefix('shape ')} | {share(tally.whole, tally.hits)} | {blank} |")
    lines.append(f"| mean width, % of the log | {100 * every.width / max(every.hits, 1):.1f} | {blank} |")
    base = results["ours"]
    floor = float(results["read"]["memory"])  # type: ignore[arg-type]

    def cost(key: str, less: float) -> str:
        parts = []
        for name in tallies:
            mine, theirs = (float(result[key]) - less for result in (base, results[name]))  # type: ignore[arg-type]
            parts.append(f"{theirs:.0f} ({theirs / max(mine, 1e-9):.2f})")
        return " | ".join(parts)

    lines.append(f"| CPU seconds (ratio to ours) | {cost('seconds', 0.0)} |")
    lines.append(f"| peak MiB beside the logs' (ratio) | {cost('memory', floor)} |")
    return lines


def draw(results: dict[str, dict[str, object]], path: Path) -> None:
    """Recall against size with its intervals, as an SVG whose bytes depend on the figures only."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "drops"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    styles = {
        "ours": ("#1b6e5a", "o", "-"),
        "ruptures l2": ("#b3541e", "s", "--"),
        "ruptures linear": ("#4a5a9e", "^", ":"),
    }
    for shift, (name, (colour, marker, line)) in enumerate(styles.items()):
        counts = results[name]["tallies"]
        points = [counts[f"{size:g}"] for size in SIZES]  # type: ignore[index]
        recall = np.array([100 * point["hits"] / point["logs"] for point in points])
        bounds = 100 * np.array([wilson(point["hits"], point["logs"]) for point in points]).T
        none = counts["none"]  # type: ignore[index]
        alarms = f"{100 * none['alarmed'] / none['logs']:.1f}% false alarms"
        axes.errorbar(
            np.array(SIZES) * 1.03 ** (shift - 1),
            recall,
            yerr=np.abs(bounds - recall),
            color=colour,
            marker=marker,
            linestyle=line,
            capsize=3,
            label=f"{name} ({alarms})",
        )
    axes.set_xscale("log")
    axes.set_xticks(SIZES, [f"{size:g}" for size in SIZES])
    axes.minorticks_off()
    axes.set_ylim(-3, 103)
    axes.set_xlabel("size of the drop, in standard deviations of the noise")
    axes.set_ylabel("drops found, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run every contender and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=10_000)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--only", choices=CONTENDERS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.only, given.logs, given.seed)))
        return
    results = {}
    for name in CONTENDERS:
        command = [sys.executable, "-m", "tests.benchmarks.drops", "--only", name]
        command += ["--logs", str(given.logs), "--seed", str(given.seed)]
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=alone)
        results[name] = json.loads(done.stdout.splitlines()[-1])
    print(f"{given.logs:,} generated logs, seed {given.seed}; shares in percent with 95% Wilson intervals")
    print("\n".join(table(results)))
    if given.figure:
        draw(results, given.figure)


if __name__ == "__main__":
    main()
