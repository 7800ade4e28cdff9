"""A run's networks, asked about new pictures: the one place of the dashboard that reaches PyTorch, and only when asked.

Everything else works without PyTorch, and starts without waiting for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from rice_ssl.attribution.explained import Explained, MapTrust
from rice_ssl.errors import ArtifactError

if TYPE_CHECKING:
    from rice_ssl.attribution.explain import RunExplainer

THREADS = 4
"""Most processor threads that PyTorch may use, whatever the machine has: the server has other screens to draw."""
_ASKED = threading.Lock()
"""Sessions are served one after the other, so that the memory of a forward pass is taken once."""


def explain(run: RunKey, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> Explained:
    """What the run's networks say of a pair, or of one image of it; nothing of it is kept.

    Args:
        run: the run.
        pictures: by the name of the sensor, shape (H, W, 3), of the size that :func:`picture_size` gives.

    Raises:
        ArtifactError: PyTorch or the networks cannot be loaded.
    """
    with _asked(run) as networks:
        return networks.explain(pictures)


def embed(run: RunKey, sensor: str, picture: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
    """Vectors of one picture by the name of the space: ``embedding``, and ``projection`` where there is one.

    Args:
        run: the run.
        sensor: whose picture it is.
        picture: as :func:`explain` takes it. Nothing of it is kept.

    Raises:
        ArtifactError: as :func:`explain`.
    """
    with _asked(run) as networks:
        return networks.embed(sensor, picture)


def measure(
    run: RunKey, sensor: str, picture: npt.NDArray[np.uint8], *, sigma: float, random: int, steps: int
) -> MapTrust:
    """Whether the map of an image does better than random ones; some seconds. Arguments as the explainer takes them.

    Raises:
        ArtifactError: as :func:`explain`.
    """
    with _asked(run) as networks:
        return networks.measure(sensor, picture, sigma=sigma, random=random, steps=steps)


@contextmanager
def _asked(run: RunKey) -> Iterator[RunExplainer]:
    """A run's networks, for one session after the other, on no more than ``THREADS`` threads meanwhile."""
    with _ASKED:
        networks = _networks(run)
        import torch

        former = torch.get_num_threads()
        torch.set_num_threads(min(THREADS, former))
        try:
            yield networks
        finally:
            torch.set_num_threads(former)


def _networks(run: RunKey) -> RunExplainer:
    noted = access.info(run).get("weights_run")
    source = access.key_of(Path(noted)) if isinstance(noted, str) else run
    return _networks_as_they_are(run, source)


@st.cache_resource(max_entries=2, show_spinner="Loading the run's networks; the first time takes some seconds …")
def _networks_as_they_are(run: RunKey, source: RunKey) -> RunExplainer:
    """Networks of a run whose weights are those of ``source``: loaded anew when either has changed."""
    try:
        from rice_ssl.attribution.explain import RunExplainer
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # a damaged installation raises any of these
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(
            f"New pictures cannot be judged, because PyTorch cannot be loaded here ({reason}): install the project "
            "anew with `make install`, and start the dashboard again. All other screens work without it."
        ) from error
    return RunExplainer(Path(run.path))


def picture_size(run: RunKey) -> tuple[int, int]:
    """Height and width of the pictures that a run's networks see, in pixels.

    Raises:
        ArtifactError: the run does not note it.
    """
    config = access.info(run).get("config")
    data = config.get("data") if isinstance(config, dict) else None
    size = data.get("image_size") if isinstance(data, dict) else None
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
        raise ArtifactError(
            f"The run {run.path} does not note the size of its pictures. Make it anew with `rice-ssl embed {run.path}`."
        )
    return size[0], size[1]
