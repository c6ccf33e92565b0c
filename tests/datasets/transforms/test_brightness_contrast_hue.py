"""Photometric distortion of BESTIE: its order, its limits, its probabilities."""

import colorsys

import numpy as np
import pytest

from mmwsis.datasets.transforms import BrightnessContrastHue


def image_of(*colours):
    return np.array([colours], np.uint8)


def changed(image, channel_order='rgb', **drawn):
    transform = BrightnessContrastHue(channel_order=channel_order)
    return transform.transform_with(dict(img=image), **drawn)['img']


def colour_by_colour(image, brightness, contrast, hue, contrast_first):
    """The definition, in double precision."""
    found = []
    for colour in image.reshape(-1, 3).astype(float):
        colour = np.clip(colour + brightness, 0, 255)
        if contrast_first:
            colour = np.clip(colour * contrast, 0, 255)
        h, s, v = colorsys.rgb_to_hsv(*colour)
        colour = np.array(colorsys.hsv_to_rgb((h + hue / 360) % 1, s, v))
        if not contrast_first:
            colour = colour * contrast
        found.append(np.clip(colour, 0, 255))
    return np.reshape(found, image.shape)


@pytest.mark.parametrize('seed', range(20))
def test_it_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
    drawn = dict(
        brightness=rng.uniform(-16, 16),
        contrast=rng.uniform(0.5, 1.5),
        hue=rng.uniform(-36, 36),
        contrast_first=bool(seed % 2),
    )
    expected = colour_by_colour(image, **drawn)
    found = changed(image, **drawn)
    assert found.dtype == np.uint8
    # Fractions are cut off; float32 may fall short of an integer.
    assert (np.abs(found - (expected - 0.5)) <= 0.5 + 1e-3).all()
    swapped = changed(image[..., ::-1], channel_order='bgr', **drawn)
    assert np.array_equal(swapped[..., ::-1], found)


def test_colours_are_cut_off_after_each_step():
    grey = image_of((250, 250, 250), (5, 5, 5))
    bright = changed(grey, brightness=16, contrast=0.5)
    assert bright[0, 0, 0] == 127  # half of 255, not of 266
    assert changed(grey, brightness=-16, contrast=1.5)[0, 1].tolist() == [0, 0, 0]
    # Red is saturated before the hue turns, or after it.
    red = image_of((240, 120, 120))
    first = changed(red, contrast=1.5, hue=36, contrast_first=True)
    last = changed(red, contrast=1.5, hue=36, contrast_first=False)
    assert first.tolist() != last.tolist()


def test_the_hue_goes_around():
    red, blue = (200, 0, 0), (0, 0, 200)
    assert np.abs(changed(image_of(red), hue=-120)[0, 0] - blue).max() <= 1
    assert np.abs(changed(image_of(blue), hue=120)[0, 0] - red).max() <= 1


def test_draws():
    np.random.seed(0)
    drawn = [BrightnessContrastHue().draw() for _ in range(2000)]
    for name, low, high, unchanged in (
        ('brightness', -16, 16, 0),
        ('contrast', 0.5, 1.5, 1),
        ('hue', -36, 36, 0),
    ):
        values = np.array([one[name] for one in drawn])
        assert abs((values == unchanged).mean() - 0.5) < 0.05
        values = values[values != unchanged]
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high
    assert abs(np.mean([one['contrast_first'] for one in drawn]) - 0.5) < 0.05


def test_what_the_loader_shares_is_left_alone():
    image = np.full((4, 5, 3), 100, np.uint8)
    image.flags.writeable = False
    np.random.seed(1)
    found = BrightnessContrastHue(prob=1.0)(dict(img=image))['img']
    assert not np.array_equal(found, image) and (image == 100).all()


@pytest.mark.parametrize(
    'settings',
    [
        dict(brightness_delta=-1),
        dict(hue_delta=181),
        dict(contrast_range=(1.5, 0.5)),
        dict(prob=2),
        dict(channel_order='hsv'),
    ],
)
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings)).split('_')[0]):
        BrightnessContrastHue(**settings)
