"""BESTIE's training pipeline against the same steps written down plainly."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmwsis.registry import TRANSFORMS

FRAGMENT = Path(__file__).parents[3] / 'configs/_base_/datasets/bestie_crops.py'


def distorted(image, brightness, contrast, hue, contrast_first):
    image = np.clip(image.astype(np.float32) + np.float32(brightness), 0, 255)
    for step in ('contrast', 'hue') if contrast_first else ('hue', 'contrast'):
        if step == 'contrast':
            image = np.clip(image * np.float32(contrast), 0, 255)
            continue
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        turned = hsv[..., 0] + np.float32(hue)
        turned = np.where(turned < 0, turned + 360, turned)
        hsv[..., 0] = np.where(turned >= 360, turned - 360, turned)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return np.clip(image, 0, 255).astype(np.uint8)


def stride_size(size, crop):
    shortest = crop + 64
    longest = shortest - (shortest - 1) % 32
    sides = [int(np.floor(side * shortest / min(size))) for side in size]
    if max(sides) > longest:
        sides = [int(np.floor(side * longest / max(size))) for side in size]
    for axis, side in enumerate(sides):
        while (side - 1) % 32:
            side += 1
        sides[axis] = side - 32 if side > longest else side
    return sides


def plain_sample(image, labels, points, crop, drawn):
    """Image, map and points (x, y, number) of a crop."""
    image = distorted(image, **drawn['BrightnessContrastHue'])
    height, width = image.shape[:2]
    new_height, new_width = stride_size((height, width), crop)
    to_size = dict(dsize=(new_width, new_height))
    factor = drawn['RandomChoiceRescale']['factor']
    by_factor = dict(dsize=None, fx=factor, fy=factor)
    moved = []
    for x, y, number in points:
        x, y = int(x / width * new_width), int(y / height * new_height)
        moved.append((x * factor, y * factor, number))
    for size in (to_size, by_factor):
        image = cv2.resize(
            image.astype(np.float32), **size, interpolation=cv2.INTER_LINEAR
        )
        image = np.clip(image, 0, 255).astype(np.uint8)
        labels = cv2.resize(labels, **size, interpolation=cv2.INTER_NEAREST)
    # A window that begins outside is a border of this width.
    offset = drawn['RandomCropOrPad']
    before = [max(0, -offset['top']), max(0, -offset['left'])]
    after = [
        max(0, crop - side - one)
        for side, one in zip(labels.shape, before, strict=True)
    ]
    sides = list(zip(before, after, strict=True))
    labels = np.pad(labels, sides)
    image = np.stack(
        [
            np.pad(image[..., channel], sides, constant_values=value)
            for channel, value in enumerate((103, 116, 123))
        ],
        axis=-1,
    )
    top, left = max(0, offset['top']), max(0, offset['left'])
    image = image[top : top + crop, left : left + crop]
    labels = labels[top : top + crop, left : left + crop]
    kept = []
    for x, y, number in moved:
        x, y = x + before[1], y + before[0]
        if left <= x < left + crop and top <= y < top + crop:
            kept.append((x - left, y - top, number))
    if drawn['RandomMirror']['flip']:
        image, labels = image[:, ::-1], labels[:, ::-1]
        kept = [(crop - x - 1, y, number) for x, y, number in kept]
    return image, labels, [(int(x), int(y), number) for x, y, number in kept]


@pytest.mark.parametrize('crop', [96, 416])
def test_the_pipeline_is_the_written_one(crop):
    rng = np.random.default_rng(crop)
    pipeline = Config.fromfile(FRAGMENT).train_pipeline
    steps = []
    for step in pipeline[3:-2]:
        sized = dict(crop_size=crop) if 'crop_size' in step else {}
        steps.append(TRANSFORMS.build({**step, **sized}))
    assert [type(step).__name__ for step in steps] == [
        'BrightnessContrastHue',
        'ResizeToStride',
        'RandomChoiceRescale',
        'RandomCropOrPad',
        'RandomMirror',
    ]
    np.random.seed(0)
    for _ in range(25):
        height, width = rng.integers(20, 130, 2).tolist()
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        labels = rng.integers(0, 21, (height, width), dtype=np.uint8)
        x, y = rng.integers(0, width, 12), rng.integers(0, height, 12)
        sample = dict(
            img=image,
            gt_seg_map=labels,
            gt_points=np.stack([x, y], axis=1).astype(float),
            gt_ann_ids=np.arange(12),
        )
        drawn = {}
        for step in steps:
            name = type(step).__name__
            is_colour = name == 'BrightnessContrastHue'
            drawn[name] = step.draw(*() if is_colour else (sample['img'].shape[:2],))
            sample = step.transform_with(sample, **drawn[name])
        expected = plain_sample(image, labels, zip(x, y, range(12)), crop, drawn)
        assert np.array_equal(sample['img'], expected[0])
        assert np.array_equal(sample['gt_seg_map'], expected[1])
        points = np.column_stack([sample['gt_points'], sample['gt_ann_ids']])
        assert points.tolist() == [list(one) for one in expected[2]]
        assert sample['num_dropped'] == 12 - len(points)
