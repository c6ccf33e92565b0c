"""Properties of the geometric transforms, on every field of a sample."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.mask import PolygonMasks

from mmwsis.datasets.transforms import (
    RandomChoiceRescale,
    RandomCropOrPad,
    RandomFlip,
    RandomLongSide,
    RandomRescale,
    ResizeToMultiple,
    ResizeToSize,
    ResizeToStride,
)

sys.path.append(str(Path(__file__).parent))
from whole_image_samples import ROWS, assert_same, plain, samples

quick = settings(max_examples=60, deadline=None)
OPENCV = dict(interpolation='bilinear', backend='cv2')
RESIZING = [
    RandomLongSide((5, 60)),
    RandomRescale((0.3, 2.5)),
    RandomChoiceRescale(**OPENCV),
    ResizeToSize((17, 23)),
    ResizeToMultiple(8, interpolation='bilinear'),
    ResizeToStride(20, 8, **OPENCV),
]
PLACING = [
    RandomCropOrPad((13, 21)),
    RandomCropOrPad(24, (123, 116, 103), 0, 0),
    RandomFlip(),
]
# The other rule of pixels is for parity and keeps less.
CORNER = [
    RandomChoiceRescale(**OPENCV, pixel_rule='corner'),
    ResizeToStride(20, 8, **OPENCV, pixel_rule='corner', truncate_points=True),
    RandomFlip(pixel_rule='corner', truncate_points=True),
]
SEED = st.integers(0, 9999)


def cut(sample, top, left, window):
    return RandomCropOrPad(window).transform_with(sample, top=top, left=left)


@quick
@given(samples(polygons=True))
def test_mirroring_twice_changes_nothing(sample):
    before = copy.deepcopy(sample)
    once = RandomFlip(1.0)(sample)
    assert once['flip'] and once['flip_direction'] == 'horizontal'
    assert np.array_equal(once['img'], before['img'][:, ::-1])
    assert np.array_equal(once['gt_seg_map'], before['gt_seg_map'][:, ::-1])
    twice = RandomFlip(1.0)(once)
    assert not twice['flip'] and twice['flip_direction'] is None
    assert_same(before, twice)


@quick
@given(samples(), st.data())
def test_cutting_and_padding_back_changes_nothing_in_the_window(sample, data):
    height, width = sample['img_shape']
    window = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top = data.draw(st.integers(0, height - window[0]))
    left = data.draw(st.integers(0, width - window[1]))
    before = copy.deepcopy(sample)
    after = cut(cut(sample, top, left, window), -top, -left, (height, width))
    inside = np.zeros((height, width), bool)
    inside[top : top + window[0], left : left + window[1]] = True
    for name, fill in (('gt_seg_map', 255), ('gt_instance_map', -1)):
        assert np.array_equal(after[name], np.where(inside, before[name], fill))
    colour = np.float32([123.675, 116.28, 103.53])
    assert np.array_equal(
        after['img'], np.where(inside[..., None], before['img'], colour)
    )
    maps = before['class_maps']['cam'] * inside
    assert np.array_equal(after['class_maps']['cam'], maps)
    # Where the point of a rectangle is inside, a part of the rectangle is.
    x, y = before['gt_points'].T.astype(int)
    kept = inside[y, x]
    assert after['num_dropped'] == (~kept).sum()
    for name in ('gt_points', *ROWS):
        assert np.array_equal(after[name], before[name][kept])
    masks = before['gt_masks'].masks[kept] * inside
    assert np.array_equal(after['gt_masks'].masks, masks)
    low, high = (left, top) * 2, (left + window[1], top + window[0]) * 2
    boxes = np.clip(before['gt_bboxes'].numpy()[kept], low, high)
    assert np.allclose(after['gt_bboxes'].numpy(), boxes)


@quick
@given(samples(polygons=True), st.integers(2, 4))
def test_enlarging_and_shrinking_by_an_integer_changes_nothing(sample, factor):
    before = copy.deepcopy(sample)
    large = RandomRescale(**OPENCV).transform_with(sample, factor=factor)
    block = np.ones((factor, factor), np.int32)
    assert np.array_equal(large['gt_seg_map'], np.kron(before['gt_seg_map'], block))
    assert large['scale_factor'] == (factor, factor)
    after = RandomRescale(**OPENCV).transform_with(large, factor=1 / factor)
    if factor % 2 == 0:
        # No pixel of the large image has its centre where the small one has it.
        maps = plain(after['class_maps']).astype(float)
        assert np.abs(maps - plain(before['class_maps'])).max() < 0.3
        after['img'], after['class_maps'] = before['img'], before['class_maps']
    assert np.allclose(after['scale_factor'], 1)
    assert_same(before, after)


@quick
@given(samples(), st.sampled_from(RESIZING), SEED)
def test_a_pixel_and_the_point_on_it_stay_together_when_resized(sample, resize, seed):
    size, pixels = sample['img_shape'], sample['gt_seg_map']
    np.random.seed(seed)
    after = resize(
        dict(img=sample['img'], gt_seg_map=pixels, gt_points=points_of(size))
    )
    for axis in (0, 1):  # x, y
        moved = after['gt_points'][:, axis]
        old, new = size[1 - axis], after['img_shape'][1 - axis]
        assert (moved > -0.5).all() and (moved < new - 0.5).all()
        place = np.indices(after['img_shape'])[1 - axis]
        # In pixels of the coarser one of the images.
        far = np.abs(moved[after['gt_seg_map']] - place) / max(1, new / old)
        assert far.max() < 0.501
    if min(np.divide(after['img_shape'], size)) >= 1:
        x, y = np.floor(after['gt_points'] + 0.5).astype(int).T
        assert np.array_equal(after['gt_seg_map'][y, x], pixels.ravel())


@quick
@given(samples(), st.lists(st.sampled_from(PLACING), max_size=4), SEED)
def test_a_pixel_and_the_point_on_it_stay_together_when_placed(sample, steps, seed):
    pixels = sample['gt_seg_map']
    after = dict(
        img=sample['img'],
        gt_seg_map=pixels + 1000,
        gt_points=points_of(pixels.shape),
        gt_ann_ids=pixels.ravel() + 1000,
    )
    np.random.seed(seed)
    for step in steps:
        after = step(after)
    x, y = after['gt_points'].astype(int).T
    assert np.array_equal(after['gt_seg_map'][y, x], after['gt_ann_ids'])
    left = np.isin(pixels + 1000, after['gt_seg_map']).sum()
    assert left == len(x) == pixels.size - after.get('num_dropped', 0)


def points_of(size):
    rows, columns = np.indices(size).reshape(2, -1)
    return np.stack([columns, rows], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ('filter_', 'factor'),
    [
        ({}, 0.6),
        ({}, 3.2),
        (dict(interpolation='bilinear'), 0.7),
        (dict(interpolation='bilinear'), 2.0),
        (OPENCV, 1.7),
        (OPENCV, 3.2),
    ],
)
def test_a_bright_spot_and_its_point_stay_together(filter_, factor):
    for x, y in ((20, 14), (23, 31), (9, 26)):
        image = np.zeros((40, 36, 3), np.uint8)
        image[y - 2 : y + 3, x - 2 : x + 3] = 200
        points = np.array([[x, y]], np.float32)
        after = RandomRescale(**filter_).transform_with(
            dict(img=image, gt_points=points), factor=factor
        )
        light = after['img'][..., 0].astype(float)
        rows, columns = np.indices(light.shape)
        middle = [(light * grid).sum() / light.sum() for grid in (columns, rows)]
        assert np.abs(after['gt_points'][0] - middle).max() < 0.1


@quick
@given(
    samples(),
    st.sampled_from(RESIZING + CORNER),
    st.lists(st.sampled_from(PLACING), max_size=3),
    SEED,
)
def test_all_fields_stay_one_sample(sample, resize, steps, seed):
    before = copy.deepcopy(sample)
    np.random.seed(seed)
    for step in (resize, *steps):
        sample = step(sample)
    size, masks = sample['img_shape'], sample['gt_masks']
    assert sample['img'].shape == (*size, 3)
    assert sample['gt_seg_map'].shape == sample['gt_instance_map'].shape == size
    assert sample['class_maps']['cam'].shape == (2, *size)
    assert (masks.height, masks.width) == masks.masks.shape[1:] == size
    for name in ('gt_seg_map', 'gt_instance_map', 'gt_points', 'class_maps', *ROWS):
        assert plain(sample[name]).dtype == plain(before[name]).dtype
    # Objects leave with all their rows; the others stay in order.
    kept = sample['gt_ann_ids'] - 100
    assert len(kept) + sample.get('num_dropped', 0) == len(before['gt_ann_ids'])
    for name in ROWS:
        assert np.array_equal(sample[name], before[name][kept])
    boxes = sample['gt_bboxes'].numpy()
    assert len(boxes) == len(sample['gt_points']) == len(masks) == len(kept)
    # A box holds its mask, up to half a pixel on each side.
    for mask, (x0, y0, x1, y1) in zip(masks.masks, boxes, strict=True):
        assert 0 <= x0 <= x1 <= size[1] and 0 <= y0 <= y1 <= size[0]
        rows, columns = np.nonzero(mask)
        assert (columns > x0 - 1).all() and (columns < x1).all()
        assert (rows > y0 - 1).all() and (rows < y1).all()
    # Ids survive: an object's pixels in the map are pixels of its mask.
    ids = np.unique(sample['gt_instance_map'])
    assert set(ids) <= {-1, *np.unique(before['gt_instance_map'])} | {0}
    for number, mask in zip(kept, masks.masks, strict=True):
        assert mask[sample['gt_instance_map'] == number + 1].all()


@quick
@given(samples(), st.sampled_from(RESIZING + PLACING + CORNER), SEED)
def test_random_draws_are_numpys_and_can_be_given(sample, step, seed):
    other = copy.deepcopy(sample)
    np.random.seed(seed)
    drawn = step.draw(sample['img_shape'])
    state = np.random.get_state()
    given_ = step.transform_with(sample, **drawn)
    np.random.seed(seed)
    assert_same(given_, step(other), given_.keys() - {'flip', 'flip_direction'})
    assert np.array_equal(np.random.get_state()[1], state[1])


@quick
@given(samples(), st.lists(st.sampled_from(PLACING), max_size=4), SEED)
def test_polygons_are_placed_as_the_bitmaps_are(sample, steps, seed):
    corners = sample['gt_bboxes'].numpy()[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    polygons = PolygonMasks([[one] for one in corners], *sample['img_shape'])
    other = dict(copy.deepcopy(sample), gt_masks=polygons)
    for one in (sample, other):
        np.random.seed(seed)
        for step in steps:
            step(one)
    assert np.array_equal(sample['gt_masks'].masks, other['gt_masks'].to_ndarray())
    assert np.array_equal(sample['gt_ann_ids'], other['gt_ann_ids'])
