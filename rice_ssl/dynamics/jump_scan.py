"""Scan a curve for level jumps at several widths, and the law of the scan's maximum without any jump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import lfilter, savgol_filter

Floats = npt.NDArray[np.float64]
MAD_TO_SD = 1.4826
BURN_IN = 100


@dataclass(frozen=True)
class Scale:
    """One width of the scan: lines over ``window`` samples on either side, ``gap`` sample intervals apart."""

    window: int
    gap: int

    @property
    def length(self) -> int:
        """Samples that the kernel covers."""
        return 2 * self.window + self.gap - 1

    @property
    def centre(self) -> int:
        """Sample, from the kernel's first, at which the new level begins to hold, rounded up to half of the gap."""
        return self.window - 1 + (self.gap + 1) // 2

    def kernel(self) -> Floats:
        """Weights whose product with the samples is (left line) - (right line), both read off mid-gap.

        Polynomials up to degree 2 give 0, so a smooth trend does not look like a jump.
        """
        position = np.arange(self.window) - (self.window - 1) / 2
        reach = (self.window - 1) / 2 + self.gap / 2
        left = 1 / self.window + position * reach / (position**2).sum()
        return np.concatenate([left, np.zeros(self.gap - 1), -left[::-1]])


def scales_for(samples: int) -> list[Scale]:
    """Widths that suit a curve of ``samples`` values: windows from 5 to an eighth of it, gaps up to a twentieth."""
    found: list[Scale] = []
    window = 5
    while window <= max(5, samples // 8) and len(found) < 24:
        gaps = {1, 3, window // 2, window}
        found += [Scale(window, gap) for gap in sorted(gaps) if gap == 1 or gap <= max(4, samples // 20)]
        window = int(round(window * 1.6))
    return [scale for scale in found if scale.length <= samples]


def margin_for(samples: int) -> int:
    """Samples at either end where no jump is looked for: a level needs some room to be one."""
    return min(max(8, samples // 40), max(5, samples // 5))


def clip_spikes(values: Floats) -> tuple[Floats, int]:
    """Replace isolated outliers (beyond 6 robust standard deviations of a running median of 5) by that median.

    A running median keeps steps, so a drop is left as it is.

    Returns:
        The values, and how many were replaced.
    """
    middle = median_filter(values, size=5, mode="nearest")
    off = np.abs(values - middle)
    around = median_filter(off, size=min(101, len(values)), mode="nearest")
    spread = MAD_TO_SD * np.maximum(around, np.median(off))
    spikes = off > np.maximum(6 * spread, 1e-12)
    neighbours = np.convolve(spikes, np.ones(5), mode="same")
    spikes &= neighbours <= 2
    if spikes.sum() > 0.05 * len(values):  # so many are the noise itself
        spikes[:] = False
    return np.where(spikes, middle, values), int(spikes.sum())


def local_noise(values: Floats) -> Floats:
    """Noise around each sample as a standard deviation, from second differences (robust: a running median), shape (N,).

    Scaled as white noise; never below a 10,000th of the range, nor a third of the median over the log.
    """
    second = np.abs(np.diff(values, 2)) / np.sqrt(6.0)
    width = max(25, len(values) // 6)
    running = median_filter(second, size=min(width, len(second)), mode="nearest") * MAD_TO_SD
    noise = np.concatenate([running[:1], running, running[-1:]])
    floor = max(float(np.median(noise)) / 3, float(np.ptp(values)) * 1e-4, 1e-12)
    bounded: Floats = np.maximum(noise, floor)
    return bounded


class JumpScan:
    """The scan of one curve: jump sizes in units of their own spread, by width and place.

    Args:
        values: raw values with spikes clipped, shape (N,), N >= 16.
    """

    def __init__(self, values: Floats) -> None:
        """Take the curve, its noise and the scales that suit its length."""
        self.values = values
        self.noise = local_noise(values)
        self.scales = scales_for(len(values))
        self.margin = margin_for(len(values))
        self._size = 1 << (2 * len(values) - 1).bit_length()
        self._kernels = [np.conj(np.fft.rfft(scale.kernel(), self._size)) for scale in self.scales]

    def scores(self, curves: Floats) -> list[Floats]:
        """Jump over spread of every curve, by scale.

        Args:
            curves: shape (M, N).

        Returns:
            One array (M, N) a scale; place i speaks of a fall that is half done by sample i; -inf where it does not
            reach.
        """
        spectrum = np.fft.rfft(curves, self._size, axis=1)
        found = []
        for scale, kernel in zip(self.scales, self._kernels, strict=True):
            places = curves.shape[1] - scale.length + 1
            jumps = np.fft.irfft(spectrum * kernel, self._size, axis=1)[:, :places]
            jumps /= self.noise[scale.centre : scale.centre + places]
            spread = MAD_TO_SD * np.median(np.abs(jumps), axis=1, keepdims=True)
            least = np.linalg.norm(scale.kernel()) / 2
            score = np.full(curves.shape, -np.inf)
            score[:, scale.centre : scale.centre + places] = jumps / np.maximum(spread, least)
            score[:, : self.margin] = -np.inf
            score[:, curves.shape[1] - self.margin :] = -np.inf
            found.append(score)
        return found

    def best(self) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Highest score over the scales at every sample, and that scale's index, both of shape (N,)."""
        scores = np.concatenate(self.scores(self.values[None]))
        return scores.max(axis=0), scores.argmax(axis=0)

    def null_maxima(self, level: Floats, left_out: npt.NDArray[np.bool_], count: int, seed: int) -> Floats:
        """Highest scores of surrogates of this curve without its jumps, shape (count,).

        A surrogate is the smooth trend of ``level`` plus noise of the log's own autocorrelation: a second-order
        autoregression whose innovations are drawn from the log (sieve bootstrap, Bühlmann 1997), scaled by the local
        noise.

        Args:
            level: the curve with the candidate jumps taken out, shape (N,).
            left_out: samples whose innovations are not drawn, since a candidate jump lies there, shape (N,).
            count: surrogates.
            seed: of the draw.
        """
        samples = len(level)
        window = min(max(15, samples // 6), samples - 1) // 2 * 2 + 1
        window = window if window <= samples else window - 2
        trend = savgol_filter(level, window, 2, mode="interp")
        residual = (level - trend) / self.noise
        kept = residual[~left_out]
        limit = 5 * MAD_TO_SD * np.median(np.abs(kept - np.median(kept))) + 1e-9
        tame = np.clip(residual, -limit, limit)
        first, second = autoregression(tame)
        innovations = residual[2:] - first * residual[1:-1] - second * residual[:-2]
        innovations = innovations[~left_out[2:]]
        innovations = innovations - innovations.mean()
        rng = np.random.default_rng(seed)
        maxima = []
        batch = max(1, 400_000 // samples)
        for start in range(0, count, batch):
            drawn = rng.choice(innovations, size=(min(batch, count - start), samples + BURN_IN))
            noise = lfilter([1.0], [1.0, -first, -second], drawn, axis=1)[:, BURN_IN:]
            scores = self.scores(trend + noise * self.noise)
            maxima.append(np.max([score.max(axis=1) for score in scores], axis=0))
        return np.concatenate(maxima)


def autoregression(values: Floats) -> tuple[float, float]:
    """Coefficients of a second-order autoregression by the Yule-Walker equations (always stationary)."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if power <= 0:
        return 0.0, 0.0
    one = float(centred[1:] @ centred[:-1]) / power
    two = float(centred[2:] @ centred[:-2]) / power
    under = max(1 - one**2, 1e-6)
    return one * (1 - two) / under, (two - one**2) / under
