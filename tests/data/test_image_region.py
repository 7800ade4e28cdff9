"""A region of an image as an image of its own."""

import io

import numpy as np
import pytest
from PIL import Image

from rice_ssl.data.image_file import decode_image
from rice_ssl.data.image_region import Region, middle, region_picture
from rice_ssl.errors import InputError
from tests.data.fake_images import picture


def test_pixels_are_those_of_the_region_as_they_are():
    image = picture(3, (60, 50))
    found = region_picture(image, Region(10, 5, 40, 25), (20, 30))
    np.testing.assert_array_equal(found, np.asarray(image)[5:25, 10:40])


@pytest.mark.parametrize("size", [(16, 24), (64, 48), (37, 200)])
def test_the_whole_image_is_prepared_as_a_file_is(size):
    image = picture(4, (90, 70))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    expected = np.asarray(decode_image(stream.getvalue(), "it.png", size=size))
    np.testing.assert_array_equal(region_picture(image, Region(0, 0, 90, 70), size), expected)


def test_nothing_outside_the_region_is_seen():
    image = picture(5, (60, 50))
    pixels = np.asarray(image).copy()
    pixels[:5], pixels[25:], pixels[:, :10], pixels[:, 40:] = 0, 255, 7, 9
    region = Region(10, 5, 40, 25)
    other = Image.fromarray(pixels)
    np.testing.assert_array_equal(region_picture(image, region, (8, 9)), region_picture(other, region, (8, 9)))


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (Region(0, 0, 15, 30), r"has 15 x 30 pixels: choose one with at least 16 a side\."),
        (Region(20, 0, 10, 30), r"has 0 x 30 pixels"),
        (Region(0, 0, 61, 30), r"from \(0, 0\) to \(61, 30\) does not lie in the image of 60 x 50 pixels"),
        (Region(-1, 0, 40, 30), r"does not lie in the image"),
        (Region(0, 20, 40, 51), r"does not lie in the image"),
    ],
)
def test_a_region_that_cannot_be_used_is_refused(region, said):
    with pytest.raises(InputError, match=said):
        region_picture(picture(6, (60, 50)), region, (8, 8))


def test_the_middle_is_half_as_wide_and_high_unless_that_is_too_small():
    assert middle((100, 80)) == Region(25, 20, 75, 60)
    assert middle((20, 33)) == Region(2, 8, 18, 24)
    assert middle((10, 64)) == Region(0, 16, 10, 48)
