"""Pixels to compare, drawn in a data pipeline: mirrored images, crowds, seeds."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from pycocotools import mask as coco_mask

from mmwsis.datasets import CocoWeakDataset
from mmwsis.datasets.transforms import (
    GeneratePixelGroups,
    PackWeakInputs,
    RandomMirror,
)
from mmwsis.structures import Proposals

sys.path.append(str(Path(__file__).parent))
from whole_image_samples import whole_image_sample

RECTANGLES = [(0, 0, 9, 9), (10, 10, 20, 20), (14, 4, 28, 18)]


def sample(**more):
    """Two objects and an ignored one; their masks are the proposals."""
    found = whole_image_sample(20, 30, RECTANGLES)
    bits = np.asfortranarray(found['gt_masks'].masks.transpose(1, 2, 0))
    proposals = Proposals(coco_mask.encode(bits), [0.9, 0.8, 0.7], (20, 30))
    return dict(found, mask_proposals=proposals, tags=[0], num_classes=3, **more)


def test_pixels_follow_the_image_when_it_is_mirrored():
    transform = GeneratePixelGroups(samples_per_group=50)
    mirrored = RandomMirror(prob=1.0)(sample())
    results = transform(mirrored)
    groups = results['gt_pixel_groups']
    masks = mirrored['gt_masks'].masks[[0, 2]].astype(bool)
    for (x, y), mask in zip(groups.anchors, masks):
        assert mask[y, x]
    for mask, (x, y) in zip([*masks, ~masks.any(0)], groups.pixels.transpose(0, 2, 1)):
        assert mask[y, x].all()
    np.testing.assert_array_equal(groups.chosen, [0, 2])


def test_an_image_that_moves_afterwards_is_refused():
    with pytest.raises(ValueError, match=r'GeneratePixelGroups must follow .*id 7'):
        RandomMirror(prob=1.0)(GeneratePixelGroups()(sample()))


def test_groups_are_packed_as_tensors_that_move_and_batch():
    results = GeneratePixelGroups()(sample())
    packed = PackWeakInputs()(results)['data_samples']
    groups = packed.to('meta').gt_pixel_groups
    assert {value.device.type for value in groups.values()} == {'meta'}
    for name, value in results['gt_pixel_groups']._asdict().items():
        assert torch.equal(packed.gt_pixel_groups.get(name), torch.from_numpy(value))
    # One anchor for each object that is not ignored.
    assert len(packed.gt_pixel_groups.anchors) == len(packed.gt_instances) == 2
    assert len(pseudo_collate([packed, packed])) == 2


def test_the_seed_of_numpy_decides():
    def pixels(seed):
        np.random.seed(seed)
        return GeneratePixelGroups()(sample())['gt_pixel_groups'].pixels

    np.testing.assert_array_equal(pixels(3), pixels(3))
    assert (pixels(3) != pixels(4)).any()


def test_crowds_without_a_point_are_no_objects():
    found = sample()
    found['gt_points'][1] = np.nan  # the ignored one
    groups = GeneratePixelGroups()(found)['gt_pixel_groups']
    assert len(groups.anchors) == 2


def test_of_two_points_of_one_class_on_one_pixel_the_first_counts():
    found = sample()
    found['gt_points'][2] = found['gt_points'][0] + 0.3
    found['gt_bboxes_labels'][2] = found['gt_bboxes_labels'][0]
    with pytest.warns(UserWarning, match='1 of 2 points left out'):
        groups = GeneratePixelGroups()(found)['gt_pixel_groups']
    assert len(groups.anchors) == 1
    found['gt_bboxes_labels'][2] += 1
    with pytest.raises(ValueError, match=r'image id 7.*got 100 and 102 of classes'):
        GeneratePixelGroups()(found)


def test_an_image_without_objects_has_empty_groups():
    found = whole_image_sample(20, 30, [])
    found.update(mask_proposals=Proposals([], [], (20, 30)), tags=[], num_classes=3)
    packed = PackWeakInputs()(GeneratePixelGroups(samples_per_group=4)(found))
    groups = packed['data_samples'].gt_pixel_groups
    assert groups.anchors.shape == (0, 2) and groups.same.shape == (0, 0)
    assert groups.pixels.shape == (0, 4, 2)


def test_broken_samples_are_named():
    found = sample(img_path='day/7.jpg')
    found['gt_points'][2] = -1, 4
    with pytest.raises(ValueError, match=r'7\.jpg.*7.* \(x, y\) \[-1, 4\] of'):
        GeneratePixelGroups()(found)
    del found['mask_proposals']
    with pytest.raises(KeyError, match='needs mask_proposals of the sample; load'):
        GeneratePixelGroups()(found)


def test_the_representation_says_all_settings():
    assert repr(GeneratePixelGroups(cand_min_score=0)) == (
        'GeneratePixelGroups(samples_per_group=None, sample_min_score=0.0, '
        'cand_min_score=0, single_point=False, background_anchors=False)'
    )


def test_from_files_to_a_batch(tmp_path):
    """Points and proposals of two images, one of them without an object."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((20, 30, 3), np.uint8))
    cv2.imwrite(str(tmp_path / 'b.png'), np.zeros((20, 30, 3), np.uint8))
    coco = dict(
        images=[
            dict(id=number, file_name=f'{name}.png', width=30, height=20)
            for number, name in enumerate('ab')
        ],
        categories=[dict(id=5, name='cat')],
        annotations=[dict(id=3, image_id=0, category_id=5, point=[4, 6])],
    )
    (tmp_path / 'points.json').write_text(json.dumps(coco))
    (tmp_path / 'proposals').mkdir()
    mask = np.zeros((20, 30), np.uint8, order='F')
    mask[2:9, 3:8] = 1
    code = coco_mask.encode(mask)
    code['counts'] = code['counts'].decode()
    entry = dict(image_id=0, category_id=1, segmentation=code, score=0.9)
    (tmp_path / 'proposals/a.json').write_text(json.dumps([entry]))
    (tmp_path / 'proposals/b.json').write_text('[]')
    dataset = CocoWeakDataset(
        ann_file=str(tmp_path / 'points.json'),
        data_prefix=dict(img=str(tmp_path)),
        metainfo=dict(classes=('cat',)),
        supervision='points',
        pipeline=[
            dict(type='mmwsis.LoadCachedImage'),
            dict(type='mmwsis.LoadWeakAnnotations'),
            dict(type='mmwsis.LoadProposals', path=str(tmp_path / 'proposals')),
            dict(type='mmwsis.GeneratePixelGroups', samples_per_group=8),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
    objects, nothing = (dataset[number]['data_samples'] for number in (0, 1))
    x, y = objects.gt_pixel_groups.pixels.permute(2, 0, 1)
    inside = torch.from_numpy(mask.astype(bool))[y, x]
    assert inside.tolist() == [[True] * 8, [False] * 8]
    assert nothing.gt_pixel_groups.anchors.shape == (0, 2)
