"""Maps that know nothing, against hand-computed values."""

import math

import pytest
import torch

from rice_ssl.attribution.baseline_maps import centred_gaussian, random_maps
from rice_ssl.errors import InputError


def test_random_maps_are_uniform_independent_and_seeded():
    maps = random_maps(50, (20, 30), torch.Generator().manual_seed(0))
    assert maps.shape == (50, 20, 30)
    assert (maps.min().item(), maps.max().item()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert maps.var().item() == pytest.approx(1 / 12, rel=0.02)
    neighbours = torch.corrcoef(torch.stack([maps[:, :, :-1].flatten(), maps[:, :, 1:].flatten()]))
    assert abs(neighbours[0, 1].item()) < 0.02
    assert torch.equal(maps, random_maps(50, (20, 30), torch.Generator().manual_seed(0)))


def test_gaussian_by_hand():
    """Middles of 2 cells lie a quarter of the side off the centre, which is one sigma; of 3, a third, or 0."""
    found = centred_gaussian(2, 3)
    side = math.exp(-0.5 * (1 + (4 / 3) ** 2))
    assert found[0].tolist() == pytest.approx([side, math.exp(-0.5), side])
    assert torch.equal(found[0], found[1])


def test_sigma_changes_no_rank():
    """Both are falling functions of the same distance from the centre."""
    distances = [-(sigma**2) * centred_gaussian(16, 20, sigma=sigma).double().log() for sigma in (0.4, 0.15)]
    torch.testing.assert_close(*distances, rtol=1e-4, atol=1e-6)


def test_half_of_the_mass_is_in_the_middle_half():
    found = centred_gaussian(400, 200)
    assert (found[100:300, 50:150].sum() / found.sum()).item() == pytest.approx(0.51, abs=0.01)


def test_empty_maps_are_refused():
    with pytest.raises(InputError, match="0 random maps of 4x5 cells"):
        random_maps(0, (4, 5), torch.Generator())
    for arguments in ((0, 4, 0.2), (4, 4, 0.0)):
        with pytest.raises(InputError, match="give values above 0"):
            centred_gaussian(*arguments[:2], sigma=arguments[2])
