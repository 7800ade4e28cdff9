"""Where the lesions of simulated leaves are, as ``rice-ssl simulate`` wrote it beside the images."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.data.image_file import open_image
from rice_ssl.errors import InputError


def lesion_mask(root: Path, image: str) -> npt.NDArray[np.bool_] | None:
    """Mask of the lesions in one image, shape (H, W) of its file; None where there is none.

    Args:
        root: folder of the simulated images.
        image: path of the image in it, as the manifest has it.

    Raises:
        InputError: the mask is there and cannot be decoded.
    """
    path = root / "masks" / f"{PurePosixPath(image).stem}_lesion.png"
    if not path.is_file():
        return None
    found: npt.NDArray[np.bool_] = np.asarray(open_image(path))[..., 0] > 127
    return found


def sensors_that_show(root: Path) -> dict[str, str]:
    """Which sensor shows the lesions of each pair: ``both``, or the name of one; empty where that is not written.

    Raises:
        InputError: ``truth.csv`` is there and cannot be read.
    """
    path = root / "truth.csv"
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, usecols=["pair_id", "evidence"], dtype=str)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): simulate the images anew.") from None
    return dict(zip(table["pair_id"], table["evidence"], strict=True))
