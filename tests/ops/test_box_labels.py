"""Boxes to label maps: golden cases, degenerate boxes, a slow reference."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from mmwsis.ops import (
    box_agreement,
    box_label_map,
    match_boxes_to_proposals,
    pixel_boxes,
)

sys.path.append(str(Path(__file__).parent))
from mask_proposals import proposals_of

GOLDEN = Path(__file__).parents[1] / 'golden/weak_panoptic'


@pytest.mark.parametrize('name', ['s0', 's1', 's2', 's3'])
def test_golden_label_maps(name):
    case = np.load(GOLDEN / f'box_approx_gt_{name}.npz')
    boxes = case['boxes_xyxy_exclusive']
    proposals = proposals_of(case['proposals'], case['proposal_scores'])
    masks = [
        None if place < 0 else proposals[[place]].decode()[0]
        for place in match_boxes_to_proposals(boxes, proposals)
    ]
    agreements = list(map(box_agreement, case['grabcut'], masks, boxes))
    size = case['semantic'].shape
    found = box_label_map(boxes, case['classes'], agreements, size)
    np.testing.assert_array_equal(found.semantic, case['semantic'])
    np.testing.assert_array_equal(found.instances, case['instance'])


def boxed_masks(count):
    """Small masks, dense ones, and boxes in them."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        height, width = rng.integers(1, 10, 2)
        mask = rng.random((height, width)) < rng.choice([0.3, 0.8, 0.95])
        x0, y0 = rng.integers(0, [width, height])
        x1, y1 = rng.integers([x0, y0], [width, height]) + 1
        yield mask, np.array([x0, y0, x1, y1])


@pytest.mark.parametrize('mask, box', boxed_masks(100))
def test_without_a_proposal_in_the_box_as_in_the_whole_image(mask, box):
    inside = np.zeros_like(mask)
    inside[box[1] : box[3], box[0] : box[2]] = True
    whole = mask & inside
    foreground = ndimage.binary_erosion(whole, border_value=1)
    ambiguous = ndimage.binary_dilation(whole) & inside & ~foreground
    if inside.all() or not foreground.any():
        foreground, ambiguous = np.zeros_like(mask), inside
    found = box_agreement(mask, None, box)
    window = slice(box[1], box[3]), slice(box[0], box[2])
    np.testing.assert_array_equal(found.foreground, foreground[window])
    np.testing.assert_array_equal(found.ambiguous, ambiguous[window])


def test_a_box_of_the_whole_image_is_its_proposal():
    everything, whole = np.ones((3, 4), bool), np.array([0, 0, 4, 3])
    proposal = np.eye(3, 4, dtype=bool)
    found = box_agreement(everything, proposal, whole)
    np.testing.assert_array_equal(found.foreground, proposal)
    np.testing.assert_array_equal(found.ambiguous, ~proposal)
    unknown = box_agreement(everything, None, whole)
    assert unknown.ambiguous.all() and not unknown.foreground.any()


def test_a_large_box_is_trusted_less():
    mask = np.ones((200, 210), bool)
    found = box_agreement(mask, None, np.array([0, 50, 150, 200]))
    # Eroded by 3 pixels where the image goes on, not at its border.
    assert found.foreground.nonzero()[0].min() == 3
    assert found.foreground.nonzero()[0].max() == 149
    assert found.foreground.nonzero()[1].tolist()[0] == 0
    assert found.foreground.nonzero()[1].max() == 146
    np.testing.assert_array_equal(found.ambiguous, ~found.foreground)


def test_no_box_leaves_the_background():
    found = box_label_map(np.zeros((0, 4), int), [], [], (2, 3), background=-1)
    assert (found.semantic == -1).all() and (found.instances == 0).all()


def test_boxes_of_fractions():
    boxes = [[0.0, 1.2, 2.9, 3.0], [-4, 2, 9, 9], [7, 0, 9, 2], [2.2, 1, 2.4, 2]]
    expected = [[0, 1, 3, 3], [0, 2, 6, 4], [7, 0, 6, 2], [2, 1, 3, 2]]
    assert pixel_boxes(np.array(boxes), (4, 6)).tolist() == expected
    # What a sum of decimal fractions, or float32, adds is no pixel.
    assert pixel_boxes(
        np.array([[0.1 * 3 * 10, 0, 3.0000002, 1]]), (4, 6)
    ).tolist() == [[3, 0, 3, 1]]


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(boxes=np.array([[2, 0, 2, 1]])), r'boxes\[0\]: expected x0 < x1'),
        (dict(boxes=np.array([[0, 0, 5, 1]])), r'image of 4 x 3 pixels'),
        (dict(labels=[255]), 'labels: expected others than background, 0, and'),
        (dict(boxes=np.array([[0, 0, 3, 2]])), r'agreements\[0\]: .* \(2, 3\)'),
        (dict(labels=[1, 2]), r'got \(1, 4\), \(2,\) and 1'),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    mask, box = np.ones((3, 4), bool), np.array([0, 0, 2, 2])
    call = dict(boxes=box[None], labels=[1], image_size=(3, 4))
    with pytest.raises(ValueError, match=message):
        box_label_map(
            agreements=[box_agreement(mask, mask, box)], **{**call, **changes}
        )
