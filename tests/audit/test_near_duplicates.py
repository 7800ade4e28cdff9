import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from rice_ssl.audit.alignment import align
from rice_ssl.audit.near_duplicates import candidates, descriptor, find_copies, same_files


def picture(seed, height=96, width=120):
    rng = np.random.default_rng(seed)
    fine = gaussian_filter(rng.normal(0, 1, (height, width)), 1.5)
    broad = gaussian_filter(rng.normal(0, 1, (height, width)), 9)
    return np.clip(128 + 25 * fine / fine.std() + 35 * broad / broad.std(), 0, 255).astype(np.float32)


def cropped(grey, left, top, right, bottom, turn=0.0):
    image = Image.fromarray(np.rint(grey).astype(np.uint8)).rotate(turn, Image.Resampling.BILINEAR)
    height, width = grey.shape
    box = (left, top, width - right, height - bottom)
    return np.asarray(image.crop(box).resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


def test_a_known_crop_is_found_and_its_exposure_does_not_matter():
    grey = picture(0)
    found = align(grey, 0.7 * cropped(grey, 6, 3, 2, 5) + 30)
    assert found.correlation > 0.97
    # Column 6 of the first is column 0 of the second, and its column 118 is the second's 120.
    assert found.matrix[1] @ [0, 6, 1] == pytest.approx(0, abs=1)
    assert found.matrix[1] @ [0, 118, 1] == pytest.approx(120, abs=1)
    assert found.matrix[0] @ [3, 0, 1] == pytest.approx(0, abs=1)
    assert found.matrix[0] @ [91, 0, 1] == pytest.approx(96, abs=1)


def test_a_turn_is_found_and_another_picture_is_not_the_same():
    grey = picture(1)
    assert align(grey, cropped(grey, 5, 4, 5, 4, turn=4)).correlation > 0.9
    assert max(align(grey, picture(seed)).correlation for seed in range(2, 8)) < 0.5


def test_a_descriptor_does_not_see_exposure():
    grey = picture(3)
    assert descriptor(grey) @ descriptor(0.5 * grey + 40) == pytest.approx(1, abs=1e-4)
    assert np.linalg.norm(descriptor(grey)) == pytest.approx(1, abs=1e-5)
    assert np.abs(descriptor(np.full((96, 120), 7, np.float32))).max() == 0


def test_copies_are_found_among_different_pictures():
    pictures = [picture(seed) for seed in range(20)]
    pictures += [
        np.rint(pictures[3] * 0.8),
        cropped(pictures[5], 4, 3, 2, 4),
        pictures[7][:, ::-1],
        pictures[9][::-1, ::-1],
    ]
    proposed = candidates(np.stack([descriptor(grey) for grey in pictures]))
    found = find_copies(pictures.__getitem__, proposed)
    assert [(copy.first, copy.second, copy.turned) for copy in found] == [
        (3, 20, ""),
        (5, 21, ""),
        (7, 22, "mirrored"),
        (9, 23, "turned by 180 degrees"),
    ]
    assert min(copy.correlation for copy in found) > 0.9


def test_same_files_are_told_after_their_first():
    assert same_files(["a", "b", "a", "c", "b", "a"]) == [(0, 2), (1, 4), (0, 5)]
    assert same_files([]) == []
