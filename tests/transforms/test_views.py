import torch

from rice_ssl.transforms.geometry import crop_matrices, sample_crops
from rice_ssl.transforms.photometric import PhotometricSettings
from rice_ssl.transforms.views import Batch, CropSettings, augmented_crops, cut_crops, draw_crops, normalise, to_unit

MEAN, STD = torch.tensor([[0.5, 0.4, 0.3]]), torch.tensor([[0.5, 0.2, 0.1]])


def batch_of(images, mean=MEAN, std=STD):
    count = len(images)
    return Batch(images, mean.expand(count, 3), std.expand(count, 3), torch.ones(count, dtype=torch.bool))


def test_pictures_become_unit_floats_band_first():
    picture = torch.zeros(1, 2, 3, 3, dtype=torch.uint8)
    picture[0, 1, 2] = torch.tensor([255, 51, 0])
    images = to_unit(picture)
    assert images.shape == (1, 3, 2, 3)
    torch.testing.assert_close(images[0, :, 1, 2], torch.tensor([1.0, 0.2, 0.0]))


def test_normalising_by_hand_with_each_images_own_sensor():
    images = torch.ones(2, 3, 1, 1)
    mean, std = torch.cat([MEAN, torch.zeros(1, 3)]), torch.cat([STD, torch.full((1, 3), 2.0)])
    out = normalise(images, mean, std)
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([1.0, 3.0, 7.0]))
    torch.testing.assert_close(out[1, :, 0, 0], torch.tensor([0.5, 0.5, 0.5]))


def test_without_photometry_a_crop_is_drawn_cut_and_normalised():
    images = torch.rand(3, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    settings = CropSettings((8, 8), (0.2, 0.5), rotation=5.0)
    crops = augmented_crops(batch_of(images), settings, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    matrices = crop_matrices(3, 20, 30, scale=(0.2, 0.5), rotation=5.0, flip=True, generator=generator)
    for image in range(3):
        cut = sample_crops(images[image : image + 1], matrices[image : image + 1], (8, 8))
        torch.testing.assert_close(crops[image : image + 1], (cut - MEAN[:, :, None, None]) / STD[:, :, None, None])


def test_a_flat_grey_image_stays_flat_through_geometry():
    """Mirrored borders bring in nothing that is not in the image."""
    images = torch.full((16, 3, 20, 30), 0.25)
    settings = CropSettings((12, 12), (0.05, 1.0), rotation=45.0)
    generator = torch.Generator().manual_seed(0)
    crops = augmented_crops(batch_of(images, torch.zeros(1, 3), torch.ones(1, 3)), settings, generator)
    torch.testing.assert_close(crops, torch.full((16, 3, 12, 12), 0.25))


def test_the_same_seed_gives_the_same_crops():
    images = torch.rand(4, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    settings = CropSettings((12, 12), (0.1, 1.0), 10.0, True, PhotometricSettings(0.3, 0.5, 0.2, 0.1))
    one, again, other = (
        augmented_crops(batch_of(images), settings, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_parts_of_a_batch_are_cut_as_the_whole_is():
    images = torch.rand(6, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    settings = CropSettings((12, 12), (0.1, 1.0), 10.0, True, PhotometricSettings(0.3, 0.5, 0.2, 0.1))
    drawn = draw_crops(6, (20, 30), settings, torch.Generator().manual_seed(1))
    whole = cut_crops(batch_of(images), settings, drawn)
    parts = [cut_crops(batch_of(images[part]), settings, drawn.part(part)) for part in (slice(0, 3), slice(3, 6))]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
