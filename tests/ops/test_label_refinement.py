from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.dataset_converters.cityscapes_labels import (
    ids_from_train_ids,
    image_segments,
    is_void,
)
from mmwsis.ops import (
    box_instances,
    crop_grid,
    fill_sparse_boxes,
    keep_allowed_labels,
    keep_boxed_labels,
    keep_sure_labels,
    merge_box_map,
)

GOLDEN = Path(__file__).parents[1] / 'golden' / 'weak_panoptic'
CASES = sorted(GOLDEN.glob('iter_gt_*.npz'))
IS_THING = torch.arange(19) >= 11


def load(path):
    return {name: torch.from_numpy(value) for name, value in np.load(path).items()}


def half_open(boxes):
    """The released code's boxes, whose last row and column are theirs."""
    return boxes.long() + torch.tensor([0, 0, 1, 1])


def tags_of_crops(truth, boxes):
    allowed = torch.zeros(len(boxes), 256, dtype=torch.bool)
    for tags, (x1, y1, x2, y2) in zip(allowed, boxes):
        tags[truth[y1:y2, x1:x2].unique().long()] = True
    return allowed[:, :255]


@pytest.mark.parametrize('path', CASES, ids=lambda path: path.stem)
def test_every_step_of_the_released_code(path):
    data = load(path)
    labels, steps = data['pred'], {}
    boxes, classes = half_open(data['boxes']), data['classes'].long()
    score, tags, merge, prior, low_iou, keep_things = data['run_flags'].tolist()
    if score:
        labels = steps['score'] = keep_sure_labels(labels, data['scores'])
    if tags:
        crops = crop_grid(tuple(labels.shape), tuple(data['crop_hw']))
        allowed = tags_of_crops(data['gt_label'], crops)
        labels = steps['tags'] = keep_allowed_labels(labels, allowed, crops)
    if merge:
        labels = merge_box_map(labels, data['mandg'], IS_THING, background=0)
        steps['merge'] = labels
    if prior:
        labels = keep_boxed_labels(labels, boxes, classes, IS_THING)
        steps['prior'] = labels
    if low_iou:
        labels = steps['low_iou'] = fill_sparse_boxes(
            labels, boxes, classes, data['is_group'], IS_THING, keep_things=keep_things
        )
    assert {f'after_{name}' for name in steps} == {k for k in data if 'after_' in k}
    for name, found in steps.items():
        np.testing.assert_array_equal(found, data[f'after_{name}'], name)
    np.testing.assert_array_equal(labels, data['final_semantic'])
    found = box_instances(labels, boxes, classes, data['is_group'])
    np.testing.assert_array_equal(found.instance_map, data['final_instance'])
    np.testing.assert_array_equal(found.numbers, data['instance_id_of_box'])


@pytest.mark.parametrize('path', CASES, ids=lambda path: path.stem)
def test_prior_keeps_the_boxes_of_every_class(path):
    data = load(path)
    boxes, classes = half_open(data['boxes']), data['classes'].long()
    masks = data['box_masks']
    for label in range(11, 19):
        everywhere = torch.full_like(data['pred'], label)
        found = keep_boxed_labels(everywhere, boxes, classes, IS_THING)
        assert torch.equal(found == label, masks[label])
        assert (found[~masks[label]] == 255).all()
    # Boxes of stuff, which the prior leaves alone, are whole images.
    assert all(mask.all() or not mask.any() for mask in masks[:11])


def test_all_cases_are_there():
    assert len(CASES) == 6


def test_table_of_the_merge():
    data = load(GOLDEN / 'merge_table_s.npz')
    found = merge_box_map(data['pred'], data['mandg'], IS_THING, background=0)
    np.testing.assert_array_equal(found, data['merged'])


def test_boxes_of_instance_train_ids():
    data = np.load(GOLDEN / 'instance_ids_to_boxes_s.npz')
    labels = ids_from_train_ids(data['label'], GOLDEN)
    found = [one for one in image_segments(labels, GOLDEN) if not is_void(one)]
    found.sort(key=lambda one: (one.label.has_instances, not one.is_group, one.number))
    assert [one.label.train_id for one in found] == data['classes'].tolist()
    assert [one.is_group for one in found] == data['is_group'].tolist()
    assert [not one.label.has_instances for one in found] == data['is_stuff'].tolist()
    boxes = [box(one, *labels.shape) for one in found]
    np.testing.assert_array_equal(boxes, data['boxes'] + [0, 0, 1, 1])


def box(segment, height, width):
    """Half-open box; of stuff the whole image."""
    if not segment.label.has_instances:
        return 0, 0, width, height
    x, y, w, h = segment.region.bbox
    return x, y, x + w, y + h


def test_a_third_copy_of_a_box_changes_nothing():
    labels = torch.full((1, 6), 13, dtype=torch.uint8)
    boxes = torch.tensor([[0, 0, 4, 1], [2, 0, 6, 1], [0, 0, 4, 1]])
    is_crowd = torch.zeros(3, dtype=torch.bool)
    found = box_instances(labels, boxes, torch.full((3,), 13), is_crowd)
    assert found.instance_map.tolist() == [[1, 1, -1, -1, 2, 2]]
    assert found.numbers.tolist() == [1, 2, 0]


def test_more_boxes_than_a_byte_holds():
    labels = torch.zeros(1, 300, dtype=torch.uint8)
    x = torch.arange(300)
    boxes = torch.stack([x, x * 0, x + 1, x * 0 + 1], 1)
    found = box_instances(labels, boxes, x * 0, torch.zeros(300).bool())
    assert found.instance_map.tolist() == [list(range(1, 301))]


@pytest.mark.parametrize('pixels, filled', [(4, True), (5, False)])
def test_fill_leaves_out_the_first_row_and_column(pixels, filled):
    labels = torch.full((4, 4), 255, dtype=torch.uint8)
    counted = torch.where(torch.arange(9) < pixels, 13, 255)  # of nine pixels
    labels[1:, 1:] = counted.view(3, 3)
    arguments = (
        torch.tensor([[0, 0, 4, 4]]),
        torch.tensor([13]),
        torch.tensor([False]),
        IS_THING,
    )
    found = fill_sparse_boxes(labels, *arguments)
    expected = labels.clone()
    if filled:
        expected[1:, 1:] = 13
    assert torch.equal(found, expected)
    whole = fill_sparse_boxes(labels, *arguments, full_box=True)
    assert (whole == 13).all()
    assert labels.eq(13).sum() == pixels, 'the argument stays as it is'


def test_boxes_outside_of_the_image_are_refused():
    labels = torch.zeros(4, 5, dtype=torch.uint8)
    boxes = torch.tensor([[0, 0, 2, 2], [5, 0, 9, 4]])
    with pytest.raises(ValueError, match=r'boxes\[1\]: .*, got \(5, 0, 9, 4\)'):
        keep_boxed_labels(labels, boxes, torch.tensor([0, 0]), torch.tensor([True]))


def test_prior_of_a_dataset_whose_stuff_is_the_background():
    labels = torch.tensor([[0, 1, 2, 255]])  # two things, the background, unknown
    boxes, things = torch.tensor([[0, 0, 4, 1]]), torch.tensor([True, True, False])
    found = keep_boxed_labels(labels, boxes, torch.tensor([0]), things, outside=2)
    assert found.tolist() == [[0, 2, 2, 255]]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 9999),
    num=st.integers(0, 5),
    keep_things=st.booleans(),
    full_box=st.booleans(),
)
def test_pixel_by_pixel_gives_the_same(seed, num, keep_things, full_box):
    """Two things, two classes of stuff; crowds, and boxes beyond the image."""
    rng = np.random.default_rng(seed)
    height, width = 7, 9
    labels = rng.choice([0, 1, 2, 3, 255], (height, width))
    box_map = rng.choice([-1, 0, 1, 2, 255], (height, width))
    corner = rng.integers([-2, -2], [width, height], (num, 2))
    boxes = np.concatenate([corner, corner + rng.integers(3, 6, (num, 2))], 1)
    classes, crowd = rng.integers(0, 2, num), rng.random(num) < 0.3
    given = [torch.from_numpy(value) for value in (labels, boxes, classes, crowd)]
    is_thing = torch.tensor([True, True, False, False])

    merged = merge_box_map(given[0], torch.from_numpy(box_map), is_thing).numpy()
    prior = keep_boxed_labels(*given[:3], is_thing).numpy()
    filled = fill_sparse_boxes(
        *given, is_thing, 0.5, keep_things=keep_things, full_box=full_box
    ).numpy()
    found = box_instances(*given)

    def inside(box, y, x, skip=0):
        x1, y1, x2, y2 = box
        return max(x1, 0) + skip <= x < x2 and max(y1, 0) + skip <= y < y2

    pixels = list(np.ndindex(height, width))
    expected = labels.copy()
    for n in sorted(range(num), key=lambda n: -np.prod(boxes[n, 2:] - boxes[n, :2])):
        mask = [p for p in pixels if inside(boxes[n], *p, skip=0 if full_box else 1)]
        own = sum(labels[p] == classes[n] for p in mask)
        for p in mask if not crowd[n] and mask and own / len(mask) < 0.5 else ():
            is_free = labels[p] >= 2 or not keep_things
            if labels[p] != classes[n] and is_free:
                expected[p] = classes[n]
    np.testing.assert_array_equal(filled, expected)
    for y, x in pixels:
        label, known = labels[y, x], box_map[y, x]
        stuff = label if label in (2, 3) else 255
        assert merged[y, x] == {0: 0, 1: 1, 2: 255}.get(known, stuff)
        over = [n for n in range(num) if classes[n] == label and inside(boxes[n], y, x)]
        assert prior[y, x] == (label if label >= 2 or over else 255)
        own = {int(found.numbers[n]) for n in over} - {0}
        unclear = label == 255 or len(own) > 1
        assert found.instance_map[y, x] == (-1 if unclear else max(own, default=0))
