from math import ceil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import crop_grid, keep_allowed_labels, merge_crop_labels

GOLDEN = Path(__file__).parents[1] / 'golden' / 'weak_panoptic'


def test_golden_consensus():
    data = np.load(GOLDEN / 'crop_consensus_s.npz')
    size, crops = tuple(data['canvas_hw']), torch.from_numpy(data['crops'])
    boxes = crop_grid(size, tuple(crops.shape[1:]))
    np.testing.assert_array_equal(boxes[:, [1, 0]], data['starts_yx'])
    label = merge_crop_labels(crops, boxes, size)
    assert label.dtype == torch.uint8
    np.testing.assert_array_equal(label, data['label'])


def test_golden_tags_of_crops():
    data = np.load(GOLDEN / 'tag_check_s.npz')
    truth, labels = (torch.from_numpy(data[key]) for key in ('gt_label', 'pred'))
    boxes = crop_grid(tuple(truth.shape), tuple(data['crop_hw']))
    allowed = torch.zeros(len(boxes), 256, dtype=torch.bool)
    for tags, (x1, y1, x2, y2) in zip(allowed, boxes):
        tags[truth[y1:y2, x1:x2].unique().long()] = True
    kept = keep_allowed_labels(labels, allowed[:, :255], boxes)
    np.testing.assert_array_equal(kept, data['out'])


def test_cityscapes_has_fifteen_crops():
    boxes = crop_grid((1024, 2048), (400, 500))
    assert boxes[:4, :2].tolist() == [[0, 0], [0, 312], [0, 624], [387, 0]]
    assert boxes[-1].tolist() == [1548, 624, 2048, 1024]


@settings(deadline=None, max_examples=200)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    crop=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_crops_are_as_few_as_possible_and_within_the_image(size, crop):
    if crop[0] > size[0] or crop[1] > size[1]:
        with pytest.raises(ValueError, match=r'at most the size of the image, \('):
            crop_grid(size, crop)
        return
    boxes = crop_grid(size, crop)
    counts = [ceil(side / part) for side, part in zip(size, crop)]
    assert len(boxes.unique(dim=0)) == len(boxes) == counts[0] * counts[1]
    assert (boxes[:, 2:] - boxes[:, :2]).unique(dim=0).tolist() == [[crop[1], crop[0]]]
    assert boxes.min() == 0
    assert (boxes[:, 2] <= size[1]).all() and (boxes[:, 3] <= size[0]).all()
    # What rounding leaves at the far border.
    left = [size[1] - boxes[:, 2].max(), size[0] - boxes[:, 3].max()]
    assert all(rest <= max(0, n - 2) for rest, n in zip(left, counts[::-1]))


@settings(deadline=None, max_examples=100)
@given(
    kind=st.sampled_from([torch.uint8, torch.int16, torch.int64]),
    seed=st.integers(0, 9999),
    num=st.integers(0, 4),
)
def test_labels_stay_where_all_crops_agree(kind, seed, num):
    rng = np.random.default_rng(seed)
    size, (h, w) = (6, 7), (3, 4)
    x, y = rng.integers(0, size[1] - w + 1, num), rng.integers(0, size[0] - h + 1, num)
    boxes = np.stack([x, y, x + w, y + h], axis=1)
    crops = rng.choice([0, 1, 255], (num, h, w), p=[0.2, 0.6, 0.2])
    allowed = rng.random((num, 2)) < 0.7
    labels = rng.choice([0, 1, 255], size)
    expected, kept = np.full(size, 255), labels.copy()
    for row, column in np.ndindex(size):
        over = [
            k
            for k, (x1, y1, x2, y2) in enumerate(boxes)
            if x1 <= column < x2 and y1 <= row < y2
        ]
        said = {crops[k, row - y[k], column - x[k]] for k in over}
        if len(said) == 1:
            expected[row, column] = said.pop()
        label = labels[row, column]
        if label != 255 and not all(allowed[k, label] for k in over):
            kept[row, column] = 255
    boxes = torch.from_numpy(boxes)
    merged = merge_crop_labels(torch.from_numpy(crops).to(kind), boxes, size)
    assert merged.dtype == kind
    np.testing.assert_array_equal(merged, expected)
    found = keep_allowed_labels(
        torch.from_numpy(labels).to(kind), torch.from_numpy(allowed), boxes
    )
    assert found.dtype == kind
    np.testing.assert_array_equal(found, kept)


def test_boxes_and_labels_that_cannot_be_meant():
    crops, boxes = torch.zeros(1, 2, 3, dtype=torch.int64), torch.tensor([[2, 0, 5, 2]])
    with pytest.raises(ValueError, match=r'boxes\[0\]: .* image of \(4, 4\)'):
        merge_crop_labels(crops, boxes, (4, 4))
    with pytest.raises(
        ValueError, match=r'boxes\[0\]: .* its crop, \(2, 3\), got \(2, 2'
    ):
        merge_crop_labels(crops, torch.tensor([[0, 0, 2, 2]]), (4, 4))
    labels = torch.full((4, 4), 3)
    with pytest.raises(
        ValueError, match=r'labels: expected integers in \[0, 1\], got 3'
    ):
        keep_allowed_labels(
            labels, torch.ones(1, 2).bool(), torch.tensor([[0, 0, 2, 2]])
        )
