"""The steps of the refinement, joined, on samples as a data pipeline packs them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmwsis.models.labelers import LabelRefinement, MergeWeakLabels
from mmwsis.ops import crop_grid, dense_crf, unary_from_probabilities

GOLDEN = Path(__file__).parents[2] / 'golden' / 'weak_panoptic'
# Cityscapes' train ids in the project's order, things first; and back.
IDS = torch.tensor([*range(11, 19), *range(11)])
LABELS = torch.full((256,), 255)
LABELS[IDS] = torch.arange(19)


def make_sample(boxes, labels, is_crowd=None, **metainfo):
    """A sample with boxes, ids from 100 on."""
    boxes = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels, ids = torch.as_tensor(labels).long(), torch.arange(len(boxes)) + 100
    crowd = torch.zeros(len(boxes)).bool() if is_crowd is None else is_crowd
    rows = InstanceData(bboxes=boxes, labels=labels, ann_ids=ids)
    sample = DetDataSample(metainfo=dict(img_id=7, **metainfo))
    sample.gt_instances, sample.ignored_instances = rows[~crowd], rows[crowd]
    return sample


@pytest.mark.parametrize(
    'path', sorted(GOLDEN.glob('iter_gt_*')), ids=lambda path: path.stem
)
def test_golden(path):
    data = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
    is_stuff = data['classes'] < 11
    score, tags, merge, prior, low_iou, keep_things = data['run_flags'].tolist()
    size = tuple(data['pred'].shape)
    crops = crop_grid(size, tuple(data['crop_hw']))
    truth = LABELS[data['gt_label'].long()]
    crop_tags = dict(
        size=data['crop_hw'].tolist(),
        tags=[
            [label for label in truth[y1:y2, x1:x2].unique().tolist() if label < 255]
            for x1, y1, x2, y2 in crops.tolist()
        ],
    )
    sample = make_sample(
        (data['boxes'] + torch.tensor([0, 0, 1, 1]))[~is_stuff],
        LABELS[data['classes'].long()][~is_stuff],
        data['is_group'][~is_stuff],
        crop_tags=crop_tags,
    )
    box_map = LABELS[data['mandg'].long()].masked_fill(data['mandg'] == 0, -1)
    box_map[data['mandg'] == 5] = 5 + 8  # a class of stuff: not to be there
    sample.gt_box_map = PixelData(box_map=box_map.short()[None])
    refine = LabelRefinement(
        num_things_classes=8,
        num_stuff_classes=11,
        score_thr=0.99 if score else None,
        tags=tags,
        merge=merge,
        box_prior=prior,
        low_iou=0.5 if low_iou else None,
        keep_things=keep_things,
    )
    # One class has the score; the others share none of it.
    labels = LABELS[data['pred'].long()]
    prob = torch.zeros(19, *size).scatter_(
        0, labels.clamp(max=18)[None], data['scores'][None]
    )
    prob[:, labels == 255] = 0
    given = prob if score else labels
    refine(torch.zeros(3, *size, dtype=torch.uint8), given, sample)
    (codes,) = sample.pred_panoptic_seg.sem_seg
    found = torch.cat([IDS, torch.tensor([255])])[codes % 1000]
    np.testing.assert_array_equal(found, data['final_semantic'])
    thing = (found >= 11) & (found < 255)
    # The numbers of the released code count boxes of stuff, too.
    numbers = data['final_instance'].clamp(min=0)[thing]
    expected = (numbers - is_stuff.sum()).clamp(min=0)
    np.testing.assert_array_equal(codes[thing] // 1000, expected)
    assert not (codes[~thing] >= 1000).any()
    assert not thing.any() or codes.max() >= 1000


def test_neither_boxes_nor_tags_leave_nothing():
    sample = make_sample([], [], tags=[])
    sample.gt_box_map = PixelData(box_map=torch.full((1, 4, 5), -1))
    labels = torch.randint(3, (4, 5))
    LabelRefinement(2, 1, image_level=True)(torch.zeros(3, 4, 5), labels, sample)
    assert (sample.pred_panoptic_seg.sem_seg == 3).all()


def test_an_image_without_boxes_has_stuff_alone():
    sample = make_sample([], [], tags=[0, 2])
    sample.gt_box_map = PixelData(box_map=torch.full((1, 1, 4), -1))
    labels = torch.tensor([[0, 1, 2, 255]])
    LabelRefinement(2, 1, image_level=True)(torch.zeros(3, 1, 4), labels, sample)
    assert sample.pred_panoptic_seg.sem_seg.tolist() == [[[3, 3, 2, 3]]]


def test_crowds_are_boxes_of_the_prior_alone():
    crowd = torch.tensor([True])
    sample = make_sample([[0, 0, 2, 1]], [0], crowd)
    refine = LabelRefinement(1, 1, tags=False, merge=False, full_box=True)
    refine(torch.zeros(3, 1, 4), torch.tensor([[0, 1, 0, 1]]), sample)
    # Inside it the class stays, as a region of no known objects; nothing is filled.
    assert sample.pred_panoptic_seg.sem_seg.tolist() == [[[0, 1, 2, 1]]]


def test_background_takes_what_is_outside_of_boxes():
    sample = make_sample([[0, 0, 1.5, 1]], [0])
    refine = LabelRefinement(
        1, 1, tags=False, merge=False, low_iou=None, prior_label='background'
    )
    refine(torch.zeros(3, 1, 4), torch.tensor([[0, 0, 0, 255]]), sample)
    assert sample.pred_panoptic_seg.sem_seg.tolist() == [[[1000, 1000, 1, 2]]]


def test_without_instances_things_are_regions():
    sample = DetDataSample(metainfo=dict(img_id=7))
    off = dict(tags=False, merge=False, box_prior=False, low_iou=None, instances=False)
    labels = torch.tensor([[0, 1, 255]])
    LabelRefinement(1, 1, **off)(torch.zeros(3, 1, 3), labels, sample)
    assert sample.pred_panoptic_seg.sem_seg.tolist() == [[[0, 1, 2]]]


def test_crf_comes_before_the_threshold():
    torch.manual_seed(0)
    image = torch.randint(256, (3, 12, 16), dtype=torch.uint8)
    prob = torch.rand(2, 12, 16).softmax(0)
    off = dict(tags=False, merge=False, box_prior=False, low_iou=None, instances=False)
    sample = DetDataSample(metainfo=dict(img_id=7))
    crf = dict(kernels='deeplab_v2', num_iters=3)
    LabelRefinement(1, 1, 0.9, crf=crf, **off)(image, prob, sample)
    refined = dense_crf(
        unary_from_probabilities(prob), image.permute(1, 2, 0), **crf
    ).max(0)
    expected = refined.indices.masked_fill(refined.values < 0.9, 2)
    assert torch.equal(sample.pred_panoptic_seg.sem_seg[0].long(), expected)
    assert 0 < (expected == 2).float().mean() < 1


def test_full_labels_stay_as_they_are():
    known = torch.tensor([[[1000, 3, 2000]]], dtype=torch.int32)
    sample = DetDataSample(metainfo=dict(img_id=7))
    sample.gt_panoptic_seg = PixelData(sem_seg=known)
    LabelRefinement(1, 2)(torch.zeros(3, 1, 3), torch.zeros(1, 3).long(), sample)
    assert torch.equal(sample.pred_panoptic_seg.sem_seg, known)


@pytest.mark.parametrize(
    ('changes', 'fields', 'message'),
    [
        (dict(merge=True), dict(), 'image id 7 has no gt_box_map; load it with mmwsis'),
        (
            dict(merge=True),
            dict(gt_box_map=PixelData(box_map=torch.zeros(1, 4, 6))),
            r'image id 7: the box label map is \(4, 6\), the labels are \(4, 5\)',
        ),
        (dict(tags=True), dict(), 'image id 7 has no crop_tags.*--crop-tags'),
        (dict(tags=True, image_level=True), dict(), 'image id 7 has no tags'),
        (dict(), dict(gt_instances=None), 'image id 7 has no boxes; load them with'),
    ],
)
def test_what_is_missing_is_named(changes, fields, message):
    sample = make_sample([[0, 0, 2, 2]], [0])
    for name, value in fields.items():
        delattr(sample, name) if value is None else setattr(sample, name, value)
    if 'gt_instances' in fields:
        del sample.ignored_instances
    settings = dict(tags=False, merge=False) | changes
    refine = LabelRefinement(2, 1, **settings)
    with pytest.raises(ValueError, match=message):
        refine(torch.zeros(3, 4, 5), torch.zeros(4, 5).long(), sample)


@pytest.mark.parametrize(
    ('crop_tags', 'message'),
    [
        (
            dict(size=[9, 2], tags=[]),
            r'image id 7: crop_tags: crop_size: expected at most the size of the image',
        ),
        (
            dict(size=[4, 3], tags=[[0]]),
            r'image id 7: crop_tags has 1 crops of \(4, 3\), but an image of \(4, 5\) '
            'has 2',
        ),
    ],
)
def test_crops_that_do_not_fit_are_refused(crop_tags, message):
    sample = make_sample([], [], crop_tags=crop_tags)
    with pytest.raises(ValueError, match=message):
        LabelRefinement(2, 1, merge=False)(
            torch.zeros(3, 4, 5), torch.zeros(4, 5).long(), sample
        )


@pytest.mark.parametrize('box', [[5, 0, 9, 4], [2, 1, 2, 3], [-4, -4, 0, 0]])
def test_a_box_without_a_pixel_is_named(box):
    sample = make_sample([[0, 0, 2, 2], box], [0, 1])
    with pytest.raises(ValueError, match=r'image id 7, annotation id 101: the box'):
        LabelRefinement(2, 1, tags=False, merge=False)(
            torch.zeros(3, 4, 5), torch.zeros(4, 5).long(), sample
        )


def test_predictions_of_another_size_are_refused():
    message = r'image id 7: predicted has shape \(2, 4, 5\), expected \(3, 4, 5\)'
    with pytest.raises(ValueError, match=message):
        LabelRefinement(2, 1)(
            torch.zeros(3, 4, 5), torch.zeros(2, 4, 5), make_sample([], [])
        )


@pytest.mark.parametrize('prior_label', ['ignore', 'background'])
def test_background_needs_to_be_the_stuff(prior_label):
    with pytest.raises(ValueError, match='prior_label .* with 2 of them'):
        LabelRefinement(3, 2, prior_label=prior_label)


def test_labeler_merges_tags_and_boxes():
    sample = make_sample([[0, 0, 2, 1]], [0], tags=[0, 1])
    sample.gt_sem_seg = PixelData(sem_seg=torch.tensor([[[1, 1, 1, 0, 255]]]))
    sample.gt_box_map = PixelData(box_map=torch.tensor([[[0, 0, -1, -1, -1]]]))
    labeler = MergeWeakLabels(1, 1, test_cfg=dict(image_level=True))
    image = torch.zeros(3, 1, 5, dtype=torch.uint8)
    (found,) = labeler([image], [sample])
    assert found.pred_panoptic_seg.sem_seg.tolist() == [[[1000, 1000, 1, 2, 2]]]
    del sample.gt_sem_seg
    with pytest.raises(ValueError, match='image id 7 has no label map from tags'):
        labeler([image], [sample])
