"""Counts of objects against those of points and masks."""

import json

import pytest
import torch
from mmengine.evaluator import Evaluator

from mmwsis.evaluation.metrics import CountingMetric

CLASSES = ('cat', 'dog', 'fox')


@pytest.fixture
def truth(tmp_path):
    """Two images at level 'points': two cats and a dog; nothing but a crowd."""
    images = [dict(id=n, file_name=f'{n}.png', width=9, height=9) for n in (1, 2)]
    rows = [(1, 7, 0), (1, 7, 0), (1, 3, 0), (2, 7, 1)]
    annotations = [
        dict(id=n, image_id=i, category_id=c, iscrowd=crowd, point=[n, 4])
        for n, (i, c, crowd) in enumerate(rows, 1)
    ]
    categories = [
        dict(id=n, name=name) for n, name in zip((3, 5, 7), ('dog', 'fox', 'cat'))
    ]
    path = tmp_path / 'truth.json'
    content = dict(images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content))
    return str(path)


def figures(truth, labels, field='pred_points', **settings):
    evaluator = Evaluator(CountingMetric(truth, field=field, **settings))
    evaluator.dataset_meta = dict(classes=CLASSES)
    for image_id, own in labels.items():
        scores = torch.linspace(1, 0.5, len(own))
        found = dict(labels=torch.tensor(own, dtype=torch.int64), scores=scores)
        evaluator.process([dict(img_id=image_id, **{field: found})])
    return evaluator.evaluate(len(labels))


def test_by_hand(truth):
    """Image 1 has a cat too few and a fox too many, image 2 a dog too many."""
    found = figures(truth, {1: [0, 1, 2], 2: [1]})
    assert found == {
        'counting/MAE': 0.5,
        'counting/class_MAE': pytest.approx(3 / 6),
    }


def test_a_perfect_count_and_what_is_below_the_threshold(truth):
    perfect = {1: [0, 0, 1], 2: []}
    assert set(figures(truth, perfect).values()) == {0}
    assert set(figures(truth, perfect, 'pred_instances').values()) == {0}
    # Scores 1, 0.75, 0.5: the dog does not count.
    assert figures(truth, perfect, score_thr=0.6)['counting/MAE'] == 0.5


def test_what_is_counted_must_be_known(truth):
    with pytest.raises(ValueError, match=r"field must be one of .*, got 'boxes'"):
        CountingMetric(truth, field='boxes')
