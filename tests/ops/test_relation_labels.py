"""Inter-pixel relation labels against the released stage."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops.relation_labels import (
    combine_confident_labels,
    relation_labels,
    threshold_argmax,
)

GOLDEN = Path(__file__).parents[1] / 'golden/irnet'


@pytest.mark.parametrize('name', ['cat_60x80_k1', 'coffee_90x110_k2'])
def test_labels_are_those_of_the_released_stage(name):
    case = np.load(GOLDEN / f'ir_label_{name}.npz')
    maps = torch.from_numpy(case['high_res'])
    thresholds = float(case['conf_fg_thres']), float(case['conf_bg_thres'])
    for key, threshold in zip(('fg_argmax', 'bg_argmax'), thresholds):
        assert (threshold_argmax(maps, threshold).numpy() == case[key]).all()
    labels = relation_labels(
        torch.from_numpy(case['img']), maps, torch.from_numpy(case['keys']), *thresholds
    )
    assert labels.dtype == torch.uint8
    assert (labels.numpy() != case['ir_label']).mean() <= 0.002
    combined = combine_confident_labels(
        *(torch.from_numpy(case[key]).long() for key in ('fg_conf', 'bg_conf'))
    )
    assert (combined.numpy() == case['ir_label']).all()


def test_hand_checked_combination():
    foreground, background = torch.tensor([[0, 5, 0]]), torch.tensor([[0, 5, 5]])
    assert combine_confident_labels(foreground, background).tolist() == [[0, 5, 255]]


def test_background_and_the_first_class_win_ties():
    maps = torch.tensor([[[0.25, 0.5]], [[0.25, 0.5]]])
    assert threshold_argmax(maps, 0.25).tolist() == [[0, 1]]


def test_image_without_classes_is_all_background():
    image = torch.randint(0, 256, (5, 7, 3), dtype=torch.uint8)
    empty = torch.zeros(0, 5, 7), torch.zeros(0, dtype=torch.int64)
    assert relation_labels(image, *empty).tolist() == [[0] * 7] * 5


def test_class_without_activation_never_wins():
    image = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8)
    labels = relation_labels(image, torch.zeros(2, 8, 8), torch.tensor([1, 3]))
    assert labels.unique().tolist() == [0]


def test_maps_of_another_size_are_refused():
    image = torch.zeros(5, 7, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'maps: expected shape \(1, 5, 7\)'):
        relation_labels(image, torch.zeros(1, 4, 7), torch.tensor([0]))
