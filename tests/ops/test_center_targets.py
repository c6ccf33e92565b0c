"""Pseudo labels of BESTIE: golden cases, a plain reference, the method's examples."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from mmwsis.ops import center_targets

GOLDEN = Path(__file__).parents[1] / 'golden' / 'bestie'


@pytest.mark.parametrize(
    'case',
    [
        *('cls_1', 'cls_2', 'cls_edge_0', 'nocue_0', 'nolabel_0'),
        *('point_1', 'point_2', 'point_edge_0'),
    ],
)
def test_golden_pseudo_labels(case):
    golden = np.load(GOLDEN / f'pseudo_{case}.npz')
    cues = torch.from_numpy(golden['points_xyc_conf']).long()
    found = center_targets(
        torch.from_numpy(golden['seg_map']),
        cues[:, :2],
        cues[:, 2],
        torch.from_numpy(golden['label'] > 0),
        sigma=float(golden['sigma']),
        centers_from='points' if golden['point_supervised'] else 'components',
    )
    np.testing.assert_allclose(found.centers, golden['center_map'], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.offsets, golden['offset_map'])
    np.testing.assert_array_equal(found.weights, golden['weight_map'])


def component_by_component(semantic_map, points, labels, tags, min_area, from_points):
    """What the method says, without a shortcut."""
    height, width = semantic_map.shape
    centers = np.zeros((len(tags), height, width))
    offsets, weights = np.zeros((2, height, width)), np.zeros((1, height, width))
    rows, columns = np.indices((height, width))

    def stamp(label, x, y):
        if 0 <= x < width and 0 <= y < height:
            near = (abs(rows - y) <= 7) & (abs(columns - x) <= 7)
            bell = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8) * near
            centers[label] = np.maximum(centers[label], bell)

    for label in np.flatnonzero(tags):
        parts, count = ndimage.label(semantic_map == label + 1, np.ones((3, 3)))
        cues = [point for point, own in zip(points, labels) if own == label]
        for number in range(1, count + 1):
            mask = parts == number
            hits = [
                (x, y)
                for x, y in cues
                if 0 <= x < width and 0 <= y < height and mask[y, x]
            ]
            if mask.sum() < min_area or len(hits) != 1:
                continue
            y, x = int(rows[mask].mean()), int(columns[mask].mean())
            weights[0, mask] = 1
            offsets[:, mask] = y - rows[mask], x - columns[mask]
            if not from_points:
                stamp(label, x, y)
        if from_points:
            for x, y in cues:
                stamp(label, x, y)
    return centers, offsets, weights


@settings(deadline=None, max_examples=100)
@given(
    semantic_map=arrays(
        np.uint8,
        st.tuples(st.integers(0, 8), st.integers(0, 9)),
        elements=st.sampled_from([0, 0, 1, 1, 1, 2, 3, 255]),
    ),
    cues=st.lists(
        st.tuples(st.integers(-2, 9), st.integers(-2, 9), st.integers(0, 2)), max_size=5
    ),
    tags=st.tuples(*[st.booleans()] * 3),
    min_area=st.integers(1, 5),
    from_points=st.booleans(),
)
def test_it_is_the_definition(semantic_map, cues, tags, min_area, from_points):
    points, labels = [cue[:2] for cue in cues], [cue[2] for cue in cues]
    call = dict(
        semantic_map=torch.from_numpy(semantic_map),
        points=torch.tensor(points, dtype=torch.int64).reshape(-1, 2),
        labels=torch.tensor(labels, dtype=torch.int64),
        tags=torch.tensor(tags),
        sigma=2.0,
        min_area=min_area,
        centers_from='points' if from_points else 'components',
    )
    found = center_targets(**call)
    expected = component_by_component(
        semantic_map, points, labels, tags, min_area, from_points
    )
    for one, other in zip(found, expected):
        assert one.dtype == torch.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    tagged = center_targets(**call, tagged_only=True)
    assert torch.equal(tagged.centers, found.centers[list(tags)])
    assert torch.equal(tagged.offsets, found.offsets)


def square(size=10, value=1):
    semantic_map = torch.zeros(20, 20, dtype=torch.uint8)
    semantic_map[2 : 2 + size, 2 : 2 + size] = value
    return semantic_map


def area(semantic_map, *cues, tags=(True, True)):
    points = torch.tensor([cue[:2] for cue in cues]).reshape(-1, 2)
    labels = torch.tensor([cue[2] for cue in cues], dtype=torch.int64)
    found = center_targets(semantic_map, points.long(), labels, torch.tensor(tags))
    return int(found.weights.sum())


def test_exactly_one_cue_of_its_class():
    assert area(square(), (5, 5, 0)) == 100
    assert area(square(), (5, 5, 0), (8, 8, 0)) == 0
    assert area(square(), (5, 5, 0), (5, 5, 0)) == 0  # two on one pixel
    assert area(square(), (5, 5, 0), (8, 8, 1)) == 100
    assert area(square(), (5, 5, 0), *[(19, 19, 0)] * 300) == 100
    assert area(square(), *[(5, 5, 0)] * 300) == 0


def test_a_component_is_large_enough_and_tagged():
    assert area(square(7), (5, 5, 0)) == 0  # 49 pixels
    wide = torch.zeros(20, 20, dtype=torch.uint8)
    wide[3:8, 4:14] = 1
    assert area(wide, (5, 5, 0)) == 50
    assert area(square(), (5, 5, 0), tags=(False, True)) == 0
    assert area(square(1), (2, 2, 0)) == 0


def test_corners_join_and_ignored_pixels_do_not():
    corner = torch.zeros(20, 20, dtype=torch.uint8)
    corner[1:7, 1:7] = corner[7:13, 7:13] = 1
    assert area(corner, (2, 2, 0)) == 72
    assert area(square(value=255), (5, 5, 0)) == 0


def test_points_outside_count_nowhere():
    ends = torch.zeros(20, 20, dtype=torch.uint8)
    ends[10:, 10:] = 1
    assert area(ends, (12, 12, 0), (-1, -1, 0), (20, 19, 0)) == 100


def test_errors_name_what_is_wrong():
    points, tags = torch.zeros(1, 2, dtype=torch.int64), torch.tensor([True])

    def call(semantic_map, label=0, **more):
        labels = torch.tensor([label])
        return center_targets(semantic_map, points, labels, tags, **more)

    with pytest.raises(ValueError, match=r'labels: expected integers in \[0, 0\]'):
        call(square(), 1)
    with pytest.raises(ValueError, match=r'0 to 1 or 255, got \[21\]; .*class table'):
        call(square(value=21))
    with pytest.raises(ValueError, match=r"'components' or 'points', got 'cues'"):
        call(square(), centers_from='cues')
    with pytest.raises(ValueError, match='fewer than 255 classes'):
        center_targets(square(), points, points[:, 0], torch.ones(255).bool())
