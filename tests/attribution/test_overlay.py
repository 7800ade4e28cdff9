import numpy as np
import pytest

from rice_ssl.attribution.overlay import colour, colour_bar, overlay

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
    assert shown[0, 1].tolist() == [round(100 * 0.875 + 0.125 * c) for c in quarter.tolist()]  # alpha 0.5 * 1/4
    strongest = [round(100 * 0.5 + 0.5 * c) for c in (252, 255, 164)]
    assert shown[1, 0].tolist() == shown[1, 1].tolist() == strongest  # what exceeds the scale is cut


def test_a_small_cam_is_laid_out_bilinearly():
    """Cell centres of a 1x2 map lie at 1 and 3 of 4 columns: shares at 0.5, 1.5, 2.5, 3.5 are 0, 1/4, 3/4 and 1."""
    black = np.zeros((1, 4, 3), dtype=np.uint8)
    shown = overlay(black, np.array([[0.0, 8.0]]), opacity=1.0, scale=8.0)
    expected = [colour(np.array(share)) * share for share in (0.0, 0.25, 0.75, 1.0)]
    assert np.abs(shown[0] - np.array(expected)).max() <= 0.5


def test_colours_run_from_black_to_yellow_and_get_lighter():
    colours = colour(np.linspace(0, 1, 50)).astype(float)
    assert colours[0].tolist() == [0, 0, 4]
    assert colours[-1].tolist() == [252, 255, 164]
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) > 0).all()


def test_cover_grows_in_proportion_to_the_evidence():
    """Over white the cover can be read off each pixel; half the evidence covers half as much."""
    white = np.full((1, 5, 3), 255, dtype=np.uint8)
    cam = np.array([[0.0, 0.5, 1.0, 1.5, 2.0]])
    shown = overlay(white, cam, opacity=0.8, scale=2.0)[0].astype(float)
    share = cam[0] / 2.0
    cover = (255 - shown) / np.maximum(255 - colour(share).astype(float), 1e-9)
    assert cover[1:, 2] == pytest.approx(0.8 * share[1:], abs=0.01)  # blue, far from white in every colour used


def test_the_colour_bar_shows_every_colour_from_left_to_right():
    bar = colour_bar(width=9, height=3)
    assert bar.shape == (3, 9, 3)
    assert bar.dtype == np.uint8
    assert (bar == bar[0]).all()
    assert (bar[0] == colour(np.arange(9) / 8)).all()
