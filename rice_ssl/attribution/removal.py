"""What takes the place of removed pixels: a blurred copy of the picture, or what the pixels around suggest.

Nothing is ever replaced by zero, in any unit. A pixel without near infrared is not an absent one: the bands of a camera
that sees near infrared wrap round, so that zero is a value like any other, and zero after normalisation is the sensor's
mean colour, which is that of a leaf. Black or mean-coloured holes are also edges that no photograph has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from rice_ssl.attribution.predict import Classify
from rice_ssl.errors import InputError

SHARES = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Blurs that are tried, as shares of the short side."""
NEIGHBOURS = {
    **dict.fromkeys(((0, 1), (0, -1), (1, 0), (-1, 0)), 1 / 6),
    **dict.fromkeys(((1, 1), (1, -1), (-1, 1), (-1, -1)), 1 / 12),
}
"""Weight of each neighbour (rows down, columns right) in what a removed pixel is taken to be."""


@dataclass(frozen=True)
class Blur:
    """The blur that stands for a removed pixel, and what is left for the network to see in it.

    Attributes:
        sigma: in pixels.
        share: of the short side.
        remaining: mean probability, on wholly blurred pictures, of the class predicted for the sharp ones.
        chance: 1 / classes.
        tried: share of the short side and remaining probability of every blur, weakest first.
    """

    sigma: float
    share: float
    remaining: float
    chance: float
    tried: tuple[tuple[float, float], ...]

    def as_dict(self) -> dict[str, float]:
        """``sigma``, ``remaining`` and ``chance``."""
        return {"sigma": self.sigma, "remaining": self.remaining, "chance": self.chance}


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Blur pictures with a Gaussian, mirrored at the borders.

    Args:
        images: shape (B, 3, H, W), in any unit.
        sigma: standard deviation in pixels, > 0; the Gaussian is cut off at 3 of them.

    Returns:
        Shape (B, 3, H, W). The same as torchvision's ``gaussian_blur`` with that kernel size, which however refuses
        kernels that reach beyond the mirrored picture, and needs H x W times the time for wide ones.

    Raises:
        InputError: sigma is not a positive number.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise InputError(f"sigma is {sigma}: give a blur of more than 0 pixels.")
    rows, columns = (_blur_matrix(side, sigma).to(images) for side in images.shape[-2:])
    return rows @ images @ columns.T


def _blur_matrix(side: int, sigma: float) -> Tensor:
    """Weight of each pixel, the columns, in each blurred one, the rows; rows sum to 1."""
    reach = math.ceil(3 * sigma)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    period = max(1, 2 * (side - 1))
    place = (np.arange(side)[:, None] + steps) % period
    place = np.minimum(place, period - place) if side > 1 else np.zeros_like(place)
    found = np.zeros((side, side))
    np.add.at(found, (np.arange(side)[:, None], place), weights / weights.sum())
    return torch.from_numpy(found)


@torch.no_grad()
def choose_blur(
    predict: Classify,
    images: Tensor,
    *,
    shares: Sequence[float] = SHARES,
    tolerance: float = 0.05,
    batch_size: int = 128,
) -> Blur:
    """The weakest blur that takes from the network what the strongest would.

    More blur takes a picture further from anything that the network has seen, so that its answer says more about the
    strange picture and less about what was removed. Less leaves the evidence in place. So the weakest one is taken at
    which the predicted class' mean probability has come down to where the strongest brings it, or to chance where that
    is higher.

    Args:
        predict: the classifier.
        images: of one sensor, normalised, shape (N, 3, H, W), N at least 1; a few dozen suffice.
        shares: blurs to try, as shares of the short side, in ascending order.
        tolerance: of the mean probability, >= 0.
        batch_size: pictures at once.

    Raises:
        InputError: no picture, no share, or shares that do not ascend from above 0.
    """
    if len(images) == 0:
        raise InputError("No picture was given to choose a blur from: give one or more of the sensor.")
    if not shares or shares[0] <= 0 or any(a >= b for a, b in zip(shares, shares[1:], strict=False)):
        raise InputError(f"Blurs to try are {tuple(shares)}: give shares of the short side, ascending from above 0.")
    short = min(images.shape[-2:])
    sums, classes = np.zeros(len(shares)), 0
    for part in torch.split(images, batch_size):
        logits = predict(part)
        classes, predicted = logits.shape[1], logits.argmax(dim=1, keepdim=True)
        for number, share in enumerate(shares):
            answer = predict(blurred(part, share * short)).softmax(dim=1)
            sums[number] += float(answer.gather(1, predicted).sum())
    left = [float(value) for value in sums / len(images)]
    enough = max(left[-1], 1 / classes) + tolerance
    chosen = next(number for number, value in enumerate(left) if value <= enough)
    return Blur(
        shares[chosen] * short, shares[chosen], left[chosen], 1 / classes, tuple(zip(shares, left, strict=True))
    )


def inpainted(images: Tensor, removed: Tensor, *, noise: float = 0.01, seed: int = 0) -> Tensor:
    """Fill removed pixels with the weighted mean of their neighbours, removed or not, all at once.

    The hole becomes as smooth as it can be and takes on the colours at its rim, so that its shape tells the network
    little; the noise covers that it is smooth.

    Args:
        images: shape (B, 3, H, W), in any unit.
        removed: which pixels to fill, bool, shape (B, H, W). A picture without a pixel left gets its bands' means.
        noise: standard deviation of what is added to filled pixels, in the pictures' unit, >= 0.
        seed: of the noise, which is the same for every picture, whichever others it is filled with.

    Returns:
        Shape (B, 3, H, W), on the pictures' device; the pixels that were not removed are unchanged.

    Raises:
        InputError: the shapes do not match.

    Source:
        Rong et al. 2022, section 4 and appendix (arXiv 2202.00449), noisy linear imputation: weight 1/6 of direct and
        1/12 of diagonal neighbours, noise of 0.01, as in the authors' code, which pytorch-grad-cam has too. As there, a
        pixel at the border is the mean of the neighbours that it has: their weights are scaled to sum to 1. Differs:
        one seeded noise for all pictures; a picture without a pixel left is filled, where theirs is NaN.
    """
    if removed.shape != (len(images), *images.shape[-2:]):
        raise InputError(
            f"The pixels to remove have shape {tuple(removed.shape)}, the pictures {tuple(images.shape)}: "
            "give one picture's height and width for each."
        )
    generator = torch.Generator().manual_seed(seed)
    grain = noise * torch.randn(images.shape[1:], generator=generator)
    found = images.detach().cpu().clone()
    masks = removed.detach().cpu()
    for image, mask in zip(found, masks, strict=True):
        if mask.any():
            image[:, mask] = torch.from_numpy(_filled(image.double().numpy(), mask.numpy())).to(image) + grain[:, mask]
    return found.to(images.device)


def _filled(image: npt.NDArray[np.float64], removed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Values of the removed pixels, shape (3, removed), in the order of the rows."""
    if removed.all():
        return np.repeat(image.mean(axis=(1, 2))[:, None], removed.size, axis=1)
    rows, columns = np.nonzero(removed)
    count = len(rows)
    kept, outside = -1, -2
    numbers = np.full(removed.shape, kept)
    numbers[removed] = np.arange(count)
    numbers = np.pad(numbers, 1, constant_values=outside)
    values = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    diagonal, right = np.zeros(count), np.zeros((count, len(image)))
    places, weights = [], []
    for (down, along), weight in NEIGHBOURS.items():
        at = (rows + 1 + down, columns + 1 + along)
        number = numbers[at]
        diagonal += weight * (number != outside)
        known = number == kept
        right[known] += weight * values[:, at[0][known], at[1][known]].T
        unknown = np.flatnonzero(number >= 0)
        places.append(np.stack([unknown, number[unknown]]))
        weights.append(np.full(len(unknown), -weight))
    places.append(np.stack([np.arange(count)] * 2))
    matrix = sparse.csc_matrix((np.concatenate([*weights, diagonal]), np.concatenate(places, axis=1)), (count, count))
    # Symmetric and diagonally dominant: no pivoting is needed, and this ordering fills in least.
    solver = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solved: npt.NDArray[np.float64] = solver.solve(right).T
    return solved
