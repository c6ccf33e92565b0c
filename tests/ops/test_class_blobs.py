from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmwsis.ops import background_weights, class_blobs, distinct_points

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def load(name):
    return np.load(GOLDEN / f'{name}.npz')


def of_class(blobs, row, column):
    """Class of a pixel from 1, 0 outside the blobs."""
    number = blobs.ids[row, column]
    return int(blobs.labels[number - 1]) + 1 if number else 0


@pytest.mark.parametrize('name', ['a', 'b_20cls', 'c_ties'])
def test_golden_blobs_and_peaks(name):
    golden = load(f'blobs_peaks_{name}')
    blobs = class_blobs(torch.from_numpy(golden['probs']))
    np.testing.assert_array_equal(blobs.ids, golden['blobs'])
    of_pixel = np.append(0, blobs.labels + 1)[blobs.ids]
    np.testing.assert_array_equal(of_pixel, golden['pred_class'])
    peaks = torch.cat([blobs.labels[:, None] + 1, blobs.points.flip(1)], dim=1)
    np.testing.assert_array_equal(peaks, golden['peaks_class_row_col'])
    np.testing.assert_allclose(blobs.scores, golden['peak_prob'], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(blobs.areas, golden['blob_area'])
    counts = blobs.labels.bincount(minlength=len(golden['counts']))
    np.testing.assert_array_equal(counts, golden['counts'])


@pytest.mark.parametrize(
    'name', ['a', 'b', 'c_20cls', 'd_empty', 'e_onepoint', 'f_manyperblob']
)
def test_golden_blobs_of_the_loss(name):
    golden = load(f'lcfcn_softmax_{name}')
    blobs = class_blobs(torch.from_numpy(golden['logits']).softmax(0))
    expected = torch.from_numpy(golden['blobs']).long()
    # There, the blobs of each class are numbered from 1.
    first = torch.searchsorted(blobs.labels, blobs.labels)
    own = torch.arange(len(first)) - first + 1
    for label, ids in enumerate(expected):
        found = torch.where(blobs.labels == label, own, 0)
        found = torch.cat([torch.zeros(1, dtype=torch.int64), found])[blobs.ids]
        assert torch.equal(found, ids)
    homes = [
        int(blobs.ids[row, column]) - 1
        for row, column in np.argwhere(golden['points'])
        if of_class(blobs, row, column) == golden['points'][row, column]
    ]
    counts = torch.tensor(homes, dtype=torch.int64).bincount(minlength=len(own))
    table = torch.stack([blobs.labels, own, counts], dim=1).tolist()
    assert table == sorted(golden['blob_table'].tolist())


def test_diagonal_pixels_are_one_blob_by_hand():
    probabilities = torch.full((2, 5, 5), 0.5)
    probabilities[:, [1, 2, 3], [1, 2, 3]] = torch.tensor([0.1, 0.9])[:, None]
    blobs = class_blobs(probabilities)
    assert blobs.ids.nonzero().tolist() == [[1, 1], [2, 2], [3, 3]]
    assert blobs.points.tolist() == [[1, 1]] and blobs.areas.tolist() == [3]


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(0, 9), st.integers(0, 9)),
    levels=st.sampled_from([2, 4, 1000]),
    seed=st.integers(0, 9999),
)
def test_blobs_are_those_of_each_class_in_turn(shape, levels, seed):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, levels, shape) / levels
    best, found = maps.argmax(0), class_blobs(torch.from_numpy(maps))
    ids, expected = np.zeros(shape[1:], dtype=np.int64), []
    for channel in range(1, len(maps)):
        numbers, count = ndimage.label(best == channel, np.ones((3, 3)))
        for number in range(1, count + 1):
            rows, columns = np.nonzero(numbers == number)
            values = maps[channel, rows, columns]
            at = values.argmax()
            peak = [columns[at], rows[at]]
            expected.append((channel - 1, peak, values[at], len(rows)))
            ids[rows, columns] = len(expected)
    np.testing.assert_array_equal(found.ids, ids)
    assert [*zip(*(entry.tolist() for entry in found[1:]))] == expected


def test_no_blob_and_one_of_the_whole_image():
    none = class_blobs(torch.full((3, 4, 5), 1 / 3))  # a tie is background
    assert not none.ids.any() and not len(none.labels)
    assert none.points.shape == (0, 2) and none.scores.shape == (0,)
    whole = class_blobs(torch.tensor([0.2, 0.3, 0.5])[:, None, None].expand(3, 4, 5))
    assert (whole.ids == 1).all() and whole.labels.tolist() == [1]
    assert whole.points.tolist() == [[0, 0]] and whole.areas.tolist() == [20]


def test_a_constant_background_turns_independent_maps_into_blobs():
    """Sigmoid maps: a class counts from 0.5 on, exclusive."""
    maps = torch.tensor([[[0.4, 0.5, 0.6, 0.7]], [[0.3, 0.2, 0.1, 0.8]]])
    blobs = class_blobs(torch.cat([torch.full((1, 1, 4), 0.5), maps]))
    assert blobs.ids.tolist() == [[0, 0, 1, 2]]
    assert blobs.labels.tolist() == [0, 1]


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match='The network has diverged'):
        class_blobs(torch.full((2, 3, 4), torch.nan))
    with pytest.raises(ValueError, match='expected a channel of the background'):
        class_blobs(torch.zeros(0, 3, 4))
    with pytest.raises(ValueError, match=r'expected shape \(C \+ 1, H, W\)'):
        class_blobs(torch.zeros(3, 4))


def test_points_are_told_by_the_names_of_their_annotations():
    points = torch.tensor([[4, 1], [0, 0], [4, 1], [4, 1]])
    with pytest.warns(UserWarning, match='2 of 4 points left out'):
        kept = distinct_points(points, torch.tensor([2, 0, 2, 2]))
    assert kept.tolist() == [0, 1]
    names = np.array(['left', 'x', 'y', 'right'], dtype=object)
    with pytest.raises(ValueError, match=r'got left and right of classes 2 and 1 on'):
        distinct_points(points, torch.tensor([2, 0, 2, 1]), names)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(class_map=[[0, 3]]), r'class_map: expected integers in \[0, 2\]'),
        (dict(labels=[-1]), r'labels: expected integers in \[0, 1\]'),
        (dict(points=[[2, 0]]), r'points, x: expected integers in \[0, 1\]'),
    ],
)
def test_weights_of_what_is_no_class_or_pixel_are_refused(change, message):
    call = dict(class_map=[[0, 1]], points=[[0, 0]], labels=[0]) | change
    call = {name: torch.tensor(value) for name, value in call.items()}
    with pytest.raises(ValueError, match=message):
        background_weights(probabilities=torch.zeros(2, 1, 2), **call)
