"""Geometric transforms: golden cases, IRNet's numbers, limits, MMDetection between."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import PolygonMasks
from PIL import Image

from mmwsis.datasets.transforms import (
    PackWeakInputs,
    RandomChoiceRescale,
    RandomCropOrPad,
    RandomLongSide,
    RandomMirror,
    RandomRescale,
    ResizeToMultiple,
    ResizeToSize,
    ResizeToStride,
)
from mmwsis.registry import TRANSFORMS

sys.path.append(str(Path(__file__).parent))
from whole_image_samples import assert_same, whole_image_sample

GOLDEN = Path(__file__).parents[2] / 'golden' / 'bestie'
OPENCV = dict(interpolation='bilinear', backend='cv2')
BESTIE = dict(OPENCV, truncate_image=True, pixel_rule='corner')


def test_golden_sizes_of_the_stride_rule():
    golden = np.load(GOLDEN / 'resize_sizes_0.npz')
    resize = ResizeToStride(int(golden['crop']))
    for size, expected in zip(golden['input_hw'], golden['output_hw'], strict=True):
        assert resize.geometry(tuple(size.tolist())).new_size == tuple(expected)


@pytest.mark.parametrize('case', ['augment_0', 'augment_1'])
def test_golden_training_pipeline(case):
    golden = dict(np.load(GOLDEN / f'{case}.npz'))
    x, y, label, score = golden['points_xyc_conf'].T
    sample = dict(
        img=golden['image'],
        gt_seg_map=golden['seg'],
        gt_points=np.stack([x, y], axis=1),
        gt_bboxes_labels=label,
        gt_point_scores=score,
    )
    crop = int(golden['crop'])
    ResizeToStride(crop, **BESTIE, truncate_points=True).transform_with(sample)
    assert sample['img_shape'] == tuple(golden['resized_hw'])
    assert np.array_equal(sample['gt_points'], golden['points_resized'][:, :2])
    rescale = RandomChoiceRescale(**BESTIE)
    assert golden['scale'] in rescale.factors
    rescale.transform_with(sample, factor=float(golden['scale']))
    assert sample['img_shape'] == tuple(golden['scaled_hw'])
    assert np.array_equal(sample['gt_points'], golden['points_scaled'][:, :2])
    RandomCropOrPad(crop, (123, 116, 103), 0, pixel_rule='corner').transform_with(
        sample,
        top=int(golden['crop_y'] - golden['pad_top']),
        left=int(golden['crop_x'] - golden['pad_left']),
    )
    flip = RandomMirror(pixel_rule='corner', truncate_points=True)
    flip.transform_with(sample, flip=bool(golden['flip']))

    rows = np.column_stack(
        [sample[k] for k in ('gt_points', 'gt_bboxes_labels', 'gt_point_scores')]
    )
    assert np.array_equal(rows, golden['points_out'])
    assert sample['num_dropped'] == len(x) - len(rows) > 0
    assert np.array_equal(sample['gt_seg_map'], golden['seg_out'])
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    image = ((sample['img'] / 255 - mean) / std).transpose(2, 0, 1)
    assert np.allclose(image[:, ::8, ::8], golden['image_out_sub'], rtol=0, atol=1e-3)
    assert np.allclose(image.mean((1, 2)), golden['image_out_mean'], rtol=0, atol=1e-3)


def test_points_at_the_border_follow_the_rule_of_pixels():
    points = np.array([[-0.4, 0], [95.4, 3], [95.6, 0], [3, -0.6]], np.float32)

    def kept(**rule):
        sample = dict(img=np.zeros((96, 96, 3), np.uint8), gt_points=points.copy())
        cut = RandomCropOrPad(96, **rule).transform_with(sample, top=0, left=0)
        return cut['gt_points'][:, 0].tolist(), cut['num_dropped']

    assert kept() == (pytest.approx([-0.4, 95.4]), 2)
    assert kept(pixel_rule='corner') == (pytest.approx([95.4, 95.6]), 2)
    truncated = kept(pixel_rule='corner', truncate_points=True)
    assert truncated == ([95, 95], 2)


def irnet_of_before(image, labels, long_side, crop, colour):
    """Resizing by Pillow and a window, written down without the family."""
    scale = np.random.randint(*long_side) / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    filters = Image.Resampling.BICUBIC, Image.Resampling.NEAREST
    image, labels = (
        np.array(Image.fromarray(one).resize((width, height), filter_))
        for one, filter_ in zip((image, labels), filters, strict=True)
    )
    if np.random.choice(['horizontal', None], p=[0.5, 0.5]) == 'horizontal':
        image, labels = image[:, ::-1], labels[:, ::-1]
    source, target = [], []
    for length in (height, width):
        start = np.random.randint(abs(length - crop) + 1)
        shared = min(length, crop)
        source.append(slice(start, start + shared) if length > crop else slice(shared))
        target.append(slice(shared) if length > crop else slice(start, start + shared))
    canvas = np.full((crop, crop, 3), colour, np.float32)
    canvas[tuple(target)] = image[tuple(source)]
    label_canvas = np.full((crop, crop), 255, labels.dtype)
    label_canvas[tuple(target)] = labels[tuple(source)]
    return canvas, label_canvas


@pytest.mark.parametrize('flip', ['mmdet.RandomFlip', 'mmwsis.RandomMirror'])
def test_irnet_has_the_pixels_and_draws_that_it_had(flip):
    rng = np.random.default_rng(0)
    steps = [
        RandomLongSide((30, 90)),
        TRANSFORMS.build(dict(type=flip, prob=0.5)),
        RandomCropOrPad(60),
    ]
    for seed in range(30):
        height, width = rng.integers(20, 80, 2)
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        labels = rng.integers(0, 256, (height, width), dtype=np.uint8)
        sample = dict(img=image, gt_seg_map=labels)
        np.random.seed(seed)
        for step in steps:
            sample = step(sample)
        last = np.random.random()
        np.random.seed(seed)
        expected = irnet_of_before(
            image, labels, (30, 91), 60, (123.675, 116.28, 103.53)
        )
        assert np.array_equal(sample['img'], expected[0])
        assert np.array_equal(sample['gt_seg_map'], expected[1])
        assert np.random.random() == last


def test_sizes_of_the_rules():
    def size(resize, *before, **drawn):
        return resize.geometry(before, **drawn).new_size

    assert size(ResizeToSize(384), 375, 500) == (384, 384)
    assert size(ResizeToSize((321, 400)), 375, 500) == (321, 400)
    assert size(ResizeToMultiple(), 375, 500) == (384, 512)
    assert size(ResizeToMultiple(), 384, 1) == (384, 32)
    # OpenCV's rounding: halves to the even number.
    assert size(RandomChoiceRescale((0.5,)), 5, 7, factor=0.5) == (2, 4)
    assert size(RandomRescale(), 1, 100, factor=0.3) == (1, 30)
    assert size(RandomLongSide(), 300, 400, length=200) == (150, 200)


def test_a_factor_that_would_leave_no_pixel_leaves_one():
    sample = whole_image_sample(1, 40, [(3, 0, 9, 1)])
    resize = RandomChoiceRescale((0.3,), **BESTIE)
    assert resize(sample)['img'].shape == (1, 12, 3)


def test_every_factor_is_drawn():
    np.random.seed(0)
    resize = RandomChoiceRescale()
    drawn = [resize.draw((9, 9))['factor'] for _ in range(700)]
    assert sorted(set(drawn)) == [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]
    assert min(map(drawn.count, set(drawn))) > 60


def test_objects_leave_once_one_of_their_geometries_is_outside():
    sample = whole_image_sample(20, 30, [(0, 0, 10, 5), (5, 5, 25, 9), (20, 9, 30, 20)])
    sample['gt_points'] = np.array([[2, 2], [24, 7], [25, 12]], np.float32)
    del sample['class_maps']
    cut = RandomCropOrPad((20, 15)).transform_with(sample, top=0, left=0)
    # The second one's box and mask reach into the window, its point does not.
    assert cut['gt_ann_ids'].tolist() == [100]
    assert cut['gt_bboxes'].numpy().tolist() == [[0, 0, 10, 5]]
    assert len(cut['gt_masks']) == 1 and cut['num_dropped'] == 2
    again = RandomCropOrPad(4).transform_with(cut, top=10, left=10)
    assert again['num_dropped'] == 3 and len(again['gt_points']) == 0


def test_an_object_without_a_point_or_mask_stays():
    sample = whole_image_sample(20, 30, [(0, 0, 10, 5), (2, 2, 9, 9)])
    sample['gt_points'][1] = np.nan  # a crowd
    sample['gt_masks'].masks[1] = 0
    for step in (RandomRescale((2, 2)), RandomMirror(1.0), RandomCropOrPad(70)):
        sample = step(sample)
    assert sample['num_dropped'] == 0 and np.isnan(sample['gt_points'][1]).all()
    polygons = PolygonMasks([[np.zeros(6)]], 20, 30)  # MMDetection's missing mask
    kept = RandomCropOrPad(8)(
        dict(img=np.zeros((20, 30, 3), np.uint8), gt_masks=polygons)
    )
    assert len(kept['gt_masks']) == 1 and kept['num_dropped'] == 0


def test_a_window_beside_the_image_is_empty():
    for polygons in (False, True):
        sample = whole_image_sample(9, 9, [(0, 0, 5, 5)], polygons)
        cut = RandomCropOrPad(4, seg_pad_value=7).transform_with(
            sample, top=20, left=-30
        )
        assert (cut['gt_seg_map'] == 7).all() and cut['num_dropped'] == 1


def test_coarse_class_maps_are_mirrored_but_not_cut():
    sample = whole_image_sample(16, 24, [])
    coarse = np.arange(24, dtype=np.float16).reshape(1, 4, 6)
    sample['class_maps'] = dict(labels=np.array([1]), cam=coarse)
    sample = RandomMirror(1.0)(RandomRescale((2, 2))(sample))
    assert np.array_equal(sample['class_maps']['cam'], coarse[..., ::-1])
    message = r"class map 'cam' has \(height, width\) \(4, 6\), the image .* id 7"
    with pytest.raises(ValueError, match=message):
        RandomCropOrPad(8)(sample)


def test_transforms_of_mmdetection_may_stand_between():
    names = 'img', 'gt_seg_map', 'gt_bboxes', 'gt_masks', 'gt_bboxes_labels'
    sample = whole_image_sample(24, 30, [(3, 2, 20, 9), (1, 10, 8, 22)])
    sample = {name: sample[name] for name in (*names, 'gt_ignore_flags', 'img_shape')}
    ours, theirs = copy.deepcopy(sample), copy.deepcopy(sample)
    flip = TRANSFORMS.build(dict(type='mmdet.RandomFlip', prob=1.0))
    pad = TRANSFORMS.build(dict(type='mmdet.Pad', size=(40, 40)))
    assert_same(RandomMirror(1.0)(ours), flip(theirs), (*names, 'flip'))
    enlarged = RandomRescale(**OPENCV).transform_with(pad(theirs), factor=2)
    assert enlarged['gt_masks'].masks.shape == (2, 80, 80)
    resize = TRANSFORMS.build(dict(type='mmdet.Resize', scale_factor=2.0))
    large = RandomRescale(**OPENCV).transform_with(ours, factor=2)
    assert_same(large, resize(copy.deepcopy(flip(sample))), (*names[:2], 'gt_bboxes'))


def test_boxes_may_be_an_array():
    boxes = np.array([[1, 2, 5, 7]], np.float32)
    sample = dict(img=np.zeros((10, 12, 3), np.uint8), gt_bboxes=boxes)
    flipped = RandomMirror(1.0)(sample)['gt_bboxes']
    assert isinstance(flipped, np.ndarray) and flipped.tolist() == [[7, 2, 11, 7]]
    assert boxes[0].tolist() == [1, 2, 5, 7]


def test_a_transformed_sample_packs():
    sample = whole_image_sample(24, 30, [(3, 2, 20, 9), (1, 10, 8, 22)])
    sample.update(tags=[0, 1], num_classes=3)
    for step in (ResizeToSize((48, 60)), RandomCropOrPad(64), RandomMirror(1.0)):
        sample = step(sample)
    packed = PackWeakInputs()(sample)
    instances = packed['data_samples'].gt_instances
    assert packed['inputs'].shape == (3, 64, 64)
    assert instances.bboxes.numpy().shape == (1, 4)
    assert packed['data_samples'].scale_factor == (2.0, 2.0)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: RandomMirror(1.5), 'prob must be from 0 to 1, got 1.5'),
        (lambda: RandomMirror(pixel_rule='edge'), "'centre' or 'corner', got 'edge'"),
        (lambda: ResizeToSize((3, 0)), r'size must be .*\(3, 0\)'),
        (lambda: ResizeToMultiple(0), 'divisor must be positive, got 0'),
        (lambda: ResizeToStride(416, 0), 'must be positive, got 416 and 0'),
        (lambda: RandomChoiceRescale(()), 'factors must be positive'),
        (lambda: RandomRescale(interpolation='area'), "got 'pillow' and 'area'"),
        (lambda: RandomRescale(truncate_image=True), "truncate_image is for 'cv2'"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_fields_that_do_not_fit_are_refused_by_name():
    sample = whole_image_sample(9, 8, [(0, 0, 5, 5), (1, 1, 3, 3)])
    flip = RandomMirror(1.0)
    for name, wrong, message in (
        ('gt_instance_map', np.zeros((8, 9)), r'gt_instance_map has .*\(8, 9\).* id 7'),
        ('gt_masks', PolygonMasks([], 9, 9), r'gt_masks has .*\(9, 9\).* id 7'),
        (
            'gt_points',
            np.zeros((1, 2)),
            r"one row in every field.*'gt_points': 1.* id 7",
        ),
        ('gt_bboxes', HorizontalBoxes(torch.zeros(3, 4)), r"'gt_bboxes': 3.* id 7"),
    ):
        with pytest.raises(ValueError, match=message):
            flip({**sample, name: wrong})


@pytest.mark.parametrize('filter_', [dict(interpolation='bilinear'), OPENCV])
def test_padded_images_of_floats_are_resized_too(filter_):
    sample = whole_image_sample(9, 8, [])
    whole = RandomCropOrPad(20, (124, 116, 104)).transform_with(
        copy.deepcopy(sample), top=-3, left=-4
    )
    mean = RandomCropOrPad(20).transform_with(sample, top=-3, left=-4)
    assert mean['img'].dtype == np.float32 and whole['img'].dtype == np.uint8
    for padded in (mean, whole):
        RandomRescale(**filter_).transform_with(padded, factor=1.7)
    assert np.abs(mean['img'] - whole['img']).max() < 2
