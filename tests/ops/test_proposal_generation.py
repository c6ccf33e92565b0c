"""The proposal generator as a whole: what every result has, and what it finds."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from skimage import filters

from mmwsis.ops import generate_proposals
from mmwsis.ops.color_features import color_edges, lab_channels

LIGHT = dict(scales=(100, 300), color_spaces=('lab',))


def scene(seed=0, height=90, width=120, objects=6):
    """Two-tone ellipses on a gradient with noise, and their masks."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    image = (
        60 + 60 * (columns / width)[..., None] + rng.normal(0, 4, (height, width, 3))
    )
    masks = []
    for _ in range(objects):
        y, x = rng.integers(12, height - 12), rng.integers(12, width - 12)
        b, a = rng.integers(8, 16, 2)
        mask = ((rows - y) / b) ** 2 + ((columns - x) / a) ** 2 <= 1
        tones = rng.integers(0, 256, (2, 3))
        image[mask] = tones[(columns > x).astype(int)][mask] + rng.normal(0, 4)
        masks = [other & ~mask for other in masks] + [mask]
    return image.clip(0, 255).astype(np.uint8), [m for m in masks if m.sum() >= 60]


def decode(found):
    return coco_mask.decode(found.rles).transpose(2, 0, 1).astype(bool)


@pytest.mark.parametrize('setting', [{}, LIGHT])
def test_result_is_as_promised(setting):
    image, _ = scene()
    found = generate_proposals(image, **setting)
    masks = decode(found)
    areas = masks.sum((1, 2))
    assert 20 < len(masks) == len(found.scores) <= 1000
    assert found.scores[-1] >= 0 and found.scores[0] <= 1
    assert (np.diff(found.scores) <= 0).all()
    assert areas.min() >= 50 and areas.max() <= 0.9 * image[..., 0].size
    flat = masks[:, ::4, ::4].reshape(len(masks), -1).astype(int)
    shared = flat @ flat.T
    union = flat.sum(1)[:, None] + flat.sum(1) - shared
    iou = shared / np.maximum(union, 1)
    assert iou[~np.eye(len(iou), dtype=bool)].max() <= 0.9
    assert all(type(rle['counts']) is str for rle in found.rles)


def test_finds_the_objects():
    ious = []
    for seed in range(3):
        image, truth = scene(seed)
        masks = decode(generate_proposals(image))
        for mask in truth:
            shared = (masks & mask).sum((1, 2))
            ious.append((shared / (masks | mask).sum((1, 2))).max())
    assert np.mean(ious) > 0.85 and np.mean(np.array(ious) >= 0.5) > 0.9


def test_max_num_keeps_the_first():
    image, _ = scene()
    whole, some = generate_proposals(image), generate_proposals(image, max_num=7)
    assert some.rles == whole.rles[:7]
    np.testing.assert_array_equal(some.scores, whole.scores[:7])


def test_a_mirrored_order_of_bases_changes_only_which_of_equals_stays():
    image, _ = scene()
    first = generate_proposals(image, scales=(100, 300), max_overlap=1)
    other = generate_proposals(
        image, scales=(300, 100), color_spaces=('hsv', 'lab'), max_overlap=1
    )
    np.testing.assert_array_equal(first.scores, other.scores)
    assert {r['counts'] for r in first.rles} == {r['counts'] for r in other.rles}


@pytest.mark.parametrize('size', [(1, 1), (1, 70), (70, 1), (2, 3)])
@pytest.mark.parametrize('flat', [True, False])
@pytest.mark.filterwarnings('error')
def test_tiny_and_uniform_images(size, flat):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = np.full_like(image, 90) if flat else image
    found = generate_proposals(image, min_area=1, min_size=1)
    assert len(found.rles) == len(found.scores)
    assert not (flat and found.rles)
    assert np.isfinite(found.scores).all()


def test_edges_are_those_of_scikit_image():
    image, _ = scene()
    channels = lab_channels(image)
    squares = sum(filters.sobel(channels[..., c]) ** 2 for c in range(3))
    expected = np.sqrt(squares)
    expected = (expected / np.percentile(expected, 95)).clip(0, 1)
    np.testing.assert_allclose(color_edges(channels), expected, atol=1e-9)


@pytest.mark.parametrize(
    'setting, message',
    [
        (dict(scales=100), 'scales and color_spaces are lists'),
        (dict(scales=[]), 'at least one scale'),
        (dict(scales=[100, 0]), r'scales: expected a number in \(0, inf\)'),
        (dict(color_spaces='lab'), 'scales and color_spaces are lists'),
        (dict(color_spaces=['rgb']), r"some of \['hsv', 'lab'\]"),
        (dict(image=np.zeros((4, 4, 3))), 'expected an array of uint8, got float64'),
        (dict(image=np.zeros((4, 4), np.uint8)), r'expected shape \(H, W, 3\)'),
        (dict(image=np.zeros((0, 4, 3), np.uint8)), r'got \(0, 4, 3\)'),
    ],
)
def test_what_cannot_be_meant_is_refused(setting, message):
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises((TypeError, ValueError), match=message):
        generate_proposals(**{'image': image, **setting})
