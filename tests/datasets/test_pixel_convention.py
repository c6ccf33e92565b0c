"""Pixel i covers [i, i + 1]: from masks to labels, crops, and masks again."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmwsis.dataset_converters.weak_labels import WeakProtocol, derive_weak_labels
from mmwsis.datasets import ObjectCropDataset
from mmwsis.datasets.object_crop_geometry import (
    box_mask_lines,
    crop_box,
    resize_box_mask,
    wrap_crop,
)
from mmwsis.evaluation.mask_quality import edge_offsets
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.coco_masks import encode_mask
from mmwsis.ops import crop_mask_patches, encode_filled_box
from mmwsis.registry import TRANSFORMS
from mmwsis.structures import (
    box_of_extreme_points,
    pixels_of_points,
    points_of_pixels,
)
from mmwsis.structures.supervision import Supervision

LEVELS = (Supervision.BOXES, Supervision.EXTREME_POINTS)
HEIGHT, WIDTH = 60, 70


def weak_labels(mask, **protocol):
    annotation = dict(id=1, segmentation=encode_mask(mask))
    return derive_weak_labels(annotation, mask.shape, LEVELS, WeakProtocol(**protocol))


def tight(mask):
    rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
    return [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]


@st.composite
def rectangles(draw):
    x0, y0 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    x1, y1 = draw(st.integers(x0 + 1, WIDTH)), draw(st.integers(y0 + 1, HEIGHT))
    return x0, y0, x1, y1


def mask_of(rectangle):
    x0, y0, x1, y1 = rectangle
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


@settings(max_examples=60, deadline=None)
@given(rectangles(), st.integers(0, 2**32 - 1), st.sampled_from(['band', 'rowmajor']))
def test_points_of_a_mask_span_its_half_open_box(rectangle, seed, mode):
    rng = np.random.default_rng(seed)
    mask = mask_of(rectangle) & (rng.random((HEIGHT, WIDTH)) < 0.4)
    mask[rectangle[1], rectangle[0]] = True
    labels = weak_labels(mask, extreme_mode=mode)
    points = labels['extreme_points']
    assert box_of_extreme_points(points) == labels['bbox'] == tight(mask)
    indices = weak_labels(mask, extreme_mode=mode, coordinates='pixel-index')
    assert pixels_of_points(points) == indices['extreme_points']
    assert points_of_pixels(indices['extreme_points']) == points


@settings(max_examples=60, deadline=None)
@given(rectangles())
def test_filled_box_of_the_points_of_a_rectangle_is_the_rectangle(rectangle):
    mask = mask_of(rectangle)
    box = box_of_extreme_points(weak_labels(mask)['extreme_points'])
    filled = coco_mask.decode(encode_filled_box(box, mask.shape))
    np.testing.assert_array_equal(filled, mask)


def test_corners_of_polygons_are_not_rounded():
    polygon = [3.4, 5.2, 40.7, 5.2, 40.7, 33.9, 3.4, 33.9]
    annotation = dict(id=1, segmentation=[polygon])
    labels = derive_weak_labels(annotation, (HEIGHT, WIDTH), LEVELS[1:], WeakProtocol())
    box = box_of_extreme_points(labels['extreme_points'])
    assert box == pytest.approx([3.4, 5.2, 37.3, 28.7])


def chain(mask, size, grid):
    """Label a mask, cut it out as labelers do, and paste it as if it was predicted."""
    x, y, w, h = box_of_extreme_points(weak_labels(mask)['extreme_points'])
    bbox = (x, y, x + w, y + h)
    box = crop_box(bbox, [0.3] * 4)
    lines = box_mask_lines(bbox, mask.shape, box, wrap=False)
    crop = torch.from_numpy(wrap_crop(mask.astype(np.float32), box).copy())
    prob = F.interpolate(
        crop[None, None], (grid, grid), mode='bilinear', antialias=True
    )
    (patch,) = crop_mask_patches(
        torch.logit(prob[0].clamp(1e-3, 1 - 1e-3)),
        torch.from_numpy(resize_box_mask(*lines, size))[None],
        [box],
        [mask.shape],
        [w * h],
        thresholds=(0.5,) * 3,
    )
    out = np.zeros(mask.shape, dtype=bool)
    height, width = patch.mask.shape
    out[patch.y : patch.y + height, patch.x : patch.x + width] = patch.mask
    return out


@pytest.mark.parametrize('size, grid', [(128, 64), (512, 128)])
def test_crop_and_paste_give_rectangles_back(size, grid):
    rng = np.random.default_rng(0)
    offsets = []
    for _ in range(60):
        x0, y0 = rng.integers(0, WIDTH - 4), rng.integers(0, HEIGHT - 4)
        corner = (
            x0,
            y0,
            rng.integers(x0 + 3, WIDTH + 1),
            rng.integers(y0 + 3, HEIGHT + 1),
        )
        mask = mask_of(corner)
        offsets.append(edge_offsets(chain(mask, size, grid), mask))
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1


def write(path, **block):
    annotation = dict(
        id=1,
        image_id=1,
        category_id=1,
        iscrowd=0,
        extreme_points=[[14, 20], [10, 29], [14, 39], [59, 29]],
        bbox=[10, 20, 49, 19],
    )
    coco = dict(
        images=[dict(id=1, file_name='a.png', width=WIDTH, height=HEIGHT)],
        categories=[dict(id=1, name='cat')],
        annotations=[annotation],
    )
    if block:
        coco['info'] = dict(mmwsis=block)
    path.write_text(json.dumps(coco))
    return str(path)


@pytest.mark.parametrize(
    'block, box',
    [
        (dict(), [10, 20, 49, 19]),  # clicks
        (dict(tool='coco2weak', coordinates='continuous'), [10, 20, 49, 19]),
        (dict(tool='coco2weak', coordinates='pixel-index'), [10, 20, 50, 20]),
        (dict(tool='coco2weak'), [10, 20, 50, 20]),  # written before the key was
        (dict(tool='import_labels'), [10, 20, 49, 19]),
    ],
)
def test_files_say_what_their_points_are(tmp_path, block, box):
    path = write(tmp_path / 'weak.json', **block)
    (annotation,) = load_coco(path, 'extreme_points')['annotations']
    assert annotation['bbox'] == box
    assert box_of_extreme_points(annotation['extreme_points']) == box


def test_the_released_rule_sees_the_pixels_of_either_file(tmp_path):
    crop = dict(type='mmwsis.ObjectCrop', crop_size=32, train=False, rule='released')
    seen = []
    for coordinates in ('pixel-index', 'continuous'):
        path = write(tmp_path / 'a.json', tool='coco2weak', coordinates=coordinates)
        if coordinates == 'continuous':
            coco = json.loads((tmp_path / 'a.json').read_text())
            annotation = coco['annotations'][0]
            points = points_of_pixels(annotation['extreme_points'])
            annotation['extreme_points'] = points
            (tmp_path / 'a.json').write_text(json.dumps(coco))
        dataset = ObjectCropDataset(
            path, supervision='extreme_points', test_mode=True, pipeline=[]
        )
        results = dataset.get_data_info(0)
        results['img'] = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        seen.append(TRANSFORMS.build(crop)(results))
    pixels = [[14, 20], [10, 29], [14, 39], [59, 29]]
    for results in seen:
        assert results['crop_box'] == crop_box([10, 20, 59, 39], [0.3] * 4, 'released')
        np.testing.assert_array_equal(results['extreme_points'], np.array(pixels) + 0.5)
    np.testing.assert_array_equal(seen[0]['box_mask'], seen[1]['box_mask'])
