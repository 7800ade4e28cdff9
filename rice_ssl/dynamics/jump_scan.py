"""Scan a curve for level jumps at several widths, and the law of the scan's maximum without any jump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d
from scipy.signal import lfilter, savgol_filter

Floats = npt.NDArray[np.float64]
MAD_TO_SD = 1.4826
BURN_IN = 100
PILOTS = 100
"""Surrogates that tell how far a jump strays at each place without a drop."""


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
        gaps = {1, window // 2, window}
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

    def roughness(self) -> Floats:
        """Standard deviation around the trend, drifts of the noise included (robust: a running median), shape (N,)."""
        off = np.abs(self.values - trend_of(self.values, self.noise))
        around: Floats = MAD_TO_SD * median_filter(off, size=min(max(51, len(off) // 6), len(off)), mode="nearest")
        return around

    def jumps(self, curves: Floats) -> list[Floats]:
        """Jump of every curve in units of the noise, by scale.

        Args:
            curves: shape (M, N).

        Returns:
            One array (M, places) a scale, whose first place speaks of a fall that is half done by ``scale.centre``.
        """
        spectrum = np.fft.rfft(curves, self._size, axis=1)
        found = []
        for scale, kernel in zip(self.scales, self._kernels, strict=True):
            places = curves.shape[1] - scale.length + 1
            jumps = np.fft.irfft(spectrum * kernel, self._size, axis=1)[:, :places]
            found.append(jumps / self.noise[scale.centre : scale.centre + places])
        return found

    def best(self) -> Floats:
        """Highest jump over its spread along the curve, at every sample, shape (N,)."""
        scores = np.full((len(self.scales), len(self.values)), -np.inf)
        for score, scale, jumps in zip(scores, self.scales, self.jumps(self.values[None]), strict=True):
            spread = MAD_TO_SD * float(np.median(np.abs(jumps[0])))
            white = float(np.linalg.norm(scale.kernel()))
            if jumps.shape[1] < 6 * scale.length:  # a drop reaches so many of the places that it would be the spread
                spread = min(spread, white)
            score[scale.centre : scale.centre + jumps.shape[1]] = jumps[0] / min(max(spread, white / 2), 2 * white)
        scores[:, : self.margin] = -np.inf
        scores[:, len(self.values) - self.margin :] = -np.inf
        highest: Floats = scores.max(axis=0)
        return highest

    def against_null(
        self, level: Floats, left_out: npt.NDArray[np.bool_], count: int, seed: int
    ) -> tuple[Floats, Floats]:
        """How far the jumps of this curve stand out of those of surrogates without its drops.

        A surrogate is the trend of ``level`` plus noise of the log's own autocorrelation: a second-order autoregression
        whose innovations are drawn from the log (sieve bootstrap, Bühlmann 1997), scaled by the local noise. At every
        place and width the jump is centred and scaled by what the surrogates show there, so a bend of the trend or a
        noisy stretch is no drop and hides none elsewhere; and every width by its own highest jumps, so that noise with
        heavy tails, which short windows feel, hides no drop from long ones.

        Args:
            level: the curve with the candidate jumps taken out, shape (N,).
            left_out: samples whose innovations are not drawn, since a candidate jump lies there, shape (N,).
            count: surrogates.
            seed: of the draw.

        Returns:
            Standardised jump of this curve at each sample, the highest over the widths, shape (N,); and the highest of
            each surrogate over all samples and widths, shape (count,).
        """
        trend = trend_of(level, self.noise)
        residual = (level - trend) / self.noise
        kept = residual[~left_out]
        limit = 5 * MAD_TO_SD * np.median(np.abs(kept - np.median(kept))) + 1e-9
        tame = np.clip(residual, -limit, limit)
        first, second = autoregression(tame)
        innovations = residual[2:] - first * residual[1:-1] - second * residual[:-2]
        innovations = innovations[~left_out[2:]]
        innovations = innovations - innovations.mean()
        rng = np.random.default_rng(seed)

        def surrogates(many: int) -> Floats:
            drawn = rng.choice(innovations, size=(many, len(level) + BURN_IN))
            noise = lfilter([1.0], [1.0, -first, -second], drawn, axis=1)[:, BURN_IN:]
            curves: Floats = trend + noise * self.noise
            return curves

        def inner(jumps: Floats, scale: Scale) -> Floats:
            """Only the places that are far enough from both ends."""
            return jumps[:, max(0, self.margin - scale.centre) : len(level) - self.margin - scale.centre]

        centres, spreads, limits = [], [], []
        for scale, jumps in zip(self.scales, self.jumps(surrogates(PILOTS)), strict=True):
            spread = jumps.std(axis=0)
            centres.append(jumps.mean(axis=0))
            spreads.append(np.maximum(spread, np.median(spread) / 2) + 1e-12)
            far = inner((jumps - centres[-1]) / spreads[-1], scale)
            limits.append(float(np.quantile(far.max(axis=1), 0.9)) if far.shape[1] else np.inf)

        def standardised(curves: Floats) -> Floats:
            found = np.full(curves.shape, -np.inf)
            for k, (scale, jumps) in enumerate(zip(self.scales, self.jumps(curves), strict=True)):
                part = found[:, scale.centre : scale.centre + jumps.shape[1]]
                np.maximum(part, (jumps - centres[k]) / spreads[k] / limits[k], out=part)
            found[:, : self.margin] = -np.inf
            found[:, curves.shape[1] - self.margin :] = -np.inf
            return found

        batch = max(1, 200_000 // len(level))
        sizes = [min(batch, count - start) for start in range(0, count, batch)]
        maxima = np.concatenate([standardised(surrogates(size)).max(axis=1) for size in sizes])
        return standardised(self.values[None])[0], maxima


def trend_of(level: Floats, noise: Floats) -> Floats:
    """Smooth trend of a curve: a local parabola over a sixth of it, over a fortieth where it bends faster than that.

    Args:
        level: shape (N,).
        noise: standard deviation around each sample, shape (N,).
    """
    samples = len(level)
    wide, narrow = (_odd(max(least, samples // part), samples) for least, part in ((15, 6), (7, 40)))
    broad: Floats = savgol_filter(level, wide, 2, mode="interp")
    close: Floats = savgol_filter(level, narrow, 2, mode="interp")
    apart = np.sqrt(uniform_filter1d(((close - broad) / noise) ** 2, narrow, mode="nearest"))
    bent = apart > 3 * max(float(np.median(apart)), 1.5 / np.sqrt(narrow))
    share = uniform_filter1d(maximum_filter1d(bent.astype(np.float64), narrow), narrow, mode="nearest")
    trend: Floats = share * close + (1 - share) * broad
    return trend


def _odd(window: int, samples: int) -> int:
    """An odd window no longer than the curve."""
    window = min(window, samples - 1) // 2 * 2 + 1
    return window if window <= samples else window - 2


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
