import numpy as np
import pytest

from rice_ssl.attribution.overlay import colour, overlay

PICTURE = np.full((2, 2, 3), 100, dtype=np.uint8)


@pytest.mark.parametrize(("opacity", "scale"), [(0.0, 1.0), (0.7, 0.0)])
def test_no_opacity_or_no_evidence_leaves_the_picture_as_it_is(opacity, scale):
    shown = overlay(PICTURE, np.array([[0.0, 1.0], [2.0, 3.0]]), opacity=opacity, scale=scale)
    assert (shown == PICTURE).all()


def test_pixels_by_hand():
    cam = np.array([[0.0, 1.0], [4.0, 9.0]])
    shown = overlay(PICTURE, cam, opacity=0.5, scale=4.0)
    assert shown[0, 0].tolist() == [100, 100, 100]  # no evidence: transparent
    quarter = colour(np.array(0.25))
    assert shown[0, 1].tolist() == [round(100 * 0.75 + 0.25 * c) for c in quarter.tolist()]  # alpha 0.5 sqrt(1/4)
    strongest = [round(100 * 0.5 + 0.5 * c) for c in (252, 255, 164)]
    assert shown[1, 0].tolist() == shown[1, 1].tolist() == strongest  # what exceeds the scale is cut


def test_a_small_cam_is_laid_out_bilinearly():
    """Cell centres of a 1x2 map lie at 1 and 3 of 4 columns: shares at 0.5, 1.5, 2.5, 3.5 are 0, 1/4, 3/4 and 1."""
    black = np.zeros((1, 4, 3), dtype=np.uint8)
    shown = overlay(black, np.array([[0.0, 8.0]]), opacity=1.0, scale=8.0)
    expected = [colour(np.array(share)) * np.sqrt(share) for share in (0.0, 0.25, 0.75, 1.0)]
    assert np.abs(shown[0] - np.array(expected)).max() <= 0.5


def test_colours_run_from_black_to_yellow_and_get_lighter():
    colours = colour(np.linspace(0, 1, 50)).astype(float)
    assert colours[0].tolist() == [0, 0, 4]
    assert colours[-1].tolist() == [252, 255, 164]
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) > 0).all()
