"""Every metric on what is missing or broken: the usual names, or a message.

A figure is 0 where nothing was predicted and NaN where it is not defined.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_tools import ForkedTool
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope

from mmwsis.registry import METRICS

sys.path.insert(0, str(Path(__file__).parent))
import metric_ranks
from metric_ranks import CLASSES, IMAGES, SHAPE

KINDS = tuple(metric_ranks.metrics(Path()))
OF_INSTANCES = ('CocoInstanceMetric', 'CoverageMetric', 'VOCInstanceMetric')
OF_PANOPTIC = ('PanopticAPMetric', 'PanopticQualityMetric')
OF_FILES = tuple(
    kind for kind in KINDS if kind not in ('PseudoLabelMetric', 'TagAccuracyMetric')
)
NONE = 0.0, float('nan')  # what a figure may be where there is nothing


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('truth')
    metric_ranks.write_truth(folder)
    return folder


def run(kind, folder, change=lambda sample: sample, images=range(IMAGES), **settings):
    """Figures of a metric; ``change`` makes a sample what the test is about."""
    config, make_sample = metric_ranks.metrics(folder)[kind]
    config = dict(config, **settings)
    with (
        DefaultScope.overwrite_default_scope('mmdet'),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        evaluator = Evaluator(METRICS.build(dict(type=f'mmwsis.{kind}', **config)))
        evaluator.dataset_meta = dict(classes=CLASSES)
        for index in images:
            evaluator.process([change(make_sample(index))])
        found = evaluator.evaluate(len(images))
    return {
        name.rpartition('/')[2]: value
        for name, value in found.items()
        if not isinstance(value, str)
    }


def same(value, expected):
    return value == expected or (np.isnan(value) and np.isnan(expected))


def nothing_predicted(sample):
    instances = sample.get('pred_instances')
    if instances is None:  # the crop of an object
        return dict(sample, pred_mask=metric_ranks.rle(np.zeros(SHAPE, np.uint8)))
    maps = sample['pred_class_maps']
    void = torch.full((1, *SHAPE), len(CLASSES))
    return dict(
        sample,
        pred_instances={key: value[:0] for key, value in instances.items()},
        pred_class_maps={key: value[:0] for key, value in maps.items()},
        pred_points=dict(labels=torch.zeros(0).long(), scores=torch.zeros(0)),
        pred_panoptic_seg=dict(sem_seg=void),
        pred_sem_seg=dict(sem_seg=torch.full_like(void, 255)),
        pred_tag_logits=torch.full((len(CLASSES),), -1.0),
    )


@pytest.mark.parametrize('classwise', [False, True])
@pytest.mark.parametrize('kind', KINDS)
def test_no_predictions(folder, kind, classwise):
    can = kind in ('CocoInstanceMetric', 'VOCInstanceMetric', 'PanopticQualityMetric')
    settings = dict(classwise=True) if classwise and can else {}
    usual = run(kind, folder, **settings)
    found = run(kind, folder, nothing_predicted, **settings)
    assert list(found) == list(usual)
    if kind == 'ClassMapMetric':  # all is background then, which is often right
        assert 0 < found['mIoU'] < usual['mIoU']
        return
    if kind == 'CountingMetric':  # an error: all objects, 2 in an image, are missed
        assert found == dict(MAE=2.0, class_MAE=1.0)
        return
    if kind == 'TagAccuracyMetric':  # a ranking of equals: the share of the images
        assert found == dict(tag_mAP=0.4, all_right=0.0)
        return
    kept = dict(empty_predictions=1.0, filled_boxes=usual.get('filled_boxes'))
    for name, value in found.items():
        undefined = np.isnan(usual[name]) or name.startswith('edge_')
        wanted = kept.get(name, float('nan') if undefined else 0.0)
        assert same(value, wanted), (name, value)


def without_objects(folder, tmp_path):
    """The same files without an annotation, or without a segment."""
    for name in ('coco', 'panoptic'):
        content = json.loads((folder / f'{name}.json').read_text())
        if name == 'coco':
            content['annotations'] = []
        for entry in content['annotations']:
            entry['segments_info'] = []
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    (tmp_path / 'png').symlink_to(folder / 'png')
    return tmp_path


@pytest.mark.parametrize('kind', OF_FILES)
def test_no_ground_truth(folder, tmp_path, kind):
    empty = without_objects(folder, tmp_path)
    found = run(kind, empty)
    assert list(found) == list(run(kind, folder))
    if kind == 'ClassMapMetric':
        assert 0 < found['mIoU'] < 0.5  # of the background alone
        return
    if kind == 'CountingMetric':  # an error: what is predicted is all too many
        assert found == dict(MAE=2.2, class_MAE=1.1)
        return
    assert all(any(same(value, one) for one in NONE) for value in found.values())


@pytest.mark.parametrize('kind', KINDS)
def test_no_image_at_all(folder, kind):
    found = run(kind, folder, images=())
    assert list(found) == list(run(kind, folder))
    assert all(any(same(value, one) for one in NONE) for value in found.values())


@pytest.mark.parametrize('kind', KINDS)
def test_an_image_that_comes_twice_counts_once(folder, kind):
    once = run(kind, folder)
    twice = run(kind, folder, images=[*range(IMAGES), *range(IMAGES)])
    np.testing.assert_allclose(list(twice.values()), list(once.values()), atol=1e-12)


@pytest.mark.parametrize('kind', ('CocoInstanceMetric', 'VOCInstanceMetric'))
def test_predictions_that_come_twice_are_wrong_the_second_time(folder, kind):
    def twice(sample):
        pred = sample['pred_instances']
        return dict(
            sample, pred_instances={k: torch.cat([v, v]) for k, v in pred.items()}
        )

    once, found = (run(kind, folder, change) for change in (lambda s: s, twice))
    name = 'AP50' if kind.startswith('VOC') else 'segm_AP50'
    assert 0 < found[name] < once[name]


@pytest.mark.parametrize(
    'kind', ('CocoInstanceMetric', 'VOCInstanceMetric', 'PanopticQualityMetric')
)
def test_a_class_without_ground_truth(folder, tmp_path, kind):
    for name in ('coco', 'panoptic'):
        content = json.loads((folder / f'{name}.json').read_text())
        if name == 'coco':
            content['annotations'] = content['annotations'][::2]  # nuts alone
        for entry in content['annotations']:
            if name == 'panoptic':
                entry['segments_info'] = entry['segments_info'][:1]
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    (tmp_path / 'png').symlink_to(folder / 'png')
    found, usual = (run(kind, one, classwise=True) for one in (tmp_path, folder))
    assert list(found) == list(usual)
    nut, bolt, mean = dict(
        CocoInstanceMetric=('nut_precision', 'bolt_precision', 'segm_mAP'),
        VOCInstanceMetric=('AP50_nut', 'AP50_bolt', 'AP50'),
        PanopticQualityMetric=('PQ_nut', 'PQ_bolt', 'PQ'),
    )[kind]
    assert found[nut] == pytest.approx(usual[nut]) and found[nut] > 0
    if kind == 'PanopticQualityMetric':  # what is predicted of the class is wrong
        assert found[bolt] == 0 and found[mean] == pytest.approx(found[nut] / 2)
    else:
        assert np.isnan(found[bolt])
        assert found[mean] == pytest.approx(found[nut], abs=1e-3)


@pytest.mark.parametrize('order', [(1, 0), (0, 1)])
def test_per_class_figures_of_coco_are_those_of_their_names(folder, tmp_path, order):
    """Category ids need not ascend in the file, nor come in the classes' order."""
    content = json.loads((folder / 'coco.json').read_text())
    for entry in (*content['categories'], *content['annotations']):
        key = 'id' if 'name' in entry else 'category_id'
        entry[key] = {1: 30, 2: 4}[entry[key]]
    content['categories'] = [content['categories'][index] for index in order]
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    found = run('CocoInstanceMetric', tmp_path, classwise=True)
    usual = run('CocoInstanceMetric', folder, classwise=True)
    assert usual['nut_precision'] != usual['bolt_precision']
    assert found == pytest.approx(usual, nan_ok=True)


@pytest.mark.parametrize('metric', ['segm', 'bbox'])
@pytest.mark.parametrize('first', [0, 'a', 2**60])
def test_ids_and_missing_keys_of_annotations_change_nothing(
    folder, tmp_path, metric, first
):
    """pycocotools takes the id 0 for "not found", and needs iscrowd and area."""
    content = json.loads((folder / 'coco.json').read_text())
    for number, entry in enumerate(content['annotations']):
        entry['id'] = f'a{number}' if first == 'a' else first + number
        del entry['iscrowd'], entry['area']
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    found, usual = (
        run('CocoInstanceMetric', one, metric=metric) for one in (tmp_path, folder)
    )
    assert found == pytest.approx(usual, nan_ok=True)


def unknown_image(sample):
    return dict(sample, img_id=77)


def with_instances(**changes):
    def change(sample):
        pred = dict(sample['pred_instances'])
        for key, value in changes.items():
            pred[key] = value(pred[key])
        return dict(sample, pred_instances=pred)

    return change


def with_points(**changes):
    def change(sample):
        points = dict(sample['pred_points'])
        points.update({key: value(points[key]) for key, value in changes.items()})
        return dict(sample, pred_points=points)

    return change


def with_panoptic(make):
    return lambda sample: dict(
        sample,
        pred_panoptic_seg=dict(sem_seg=make(sample['pred_panoptic_seg']['sem_seg'])),
    )


def with_segments(**changes):
    def change(sample):
        table = dict(sample['pred_segments'])
        table.update({key: value(table[key]) for key, value in changes.items()})
        return dict(sample, pred_segments=table)

    return change


def with_labels(make):
    return lambda sample: dict(
        sample, pred_sem_seg=dict(sem_seg=make(sample['pred_sem_seg']['sem_seg']))
    )


def with_maps(**changes):
    def change(sample):
        maps = dict(sample['pred_class_maps'])
        for key, value in changes.items():
            maps[key] = value(maps[key])
        return dict(sample, pred_class_maps=maps)

    return change


def nan_like(values):
    return torch.full_like(values.double(), float('nan'))


FAULTS = [
    *((kind, unknown_image, 'image id 77|the id 77') for kind in OF_FILES),
    *((k, with_instances(scores=nan_like), 'image id 0.*finite') for k in OF_INSTANCES),
    *((k, with_panoptic(nan_like), 'image id 0.*finite') for k in OF_PANOPTIC),
    (
        'PanopticAPMetric',
        with_segments(scores=nan_like),
        'image id 0: pred_segments must have a finite score',
    ),
    (
        'PanopticAPMetric',
        with_segments(codes=lambda v: v + 1),
        r'image id 0: pred_segments .* there is none for \[1000\]',
    ),
    (
        'PanopticAPMetric',
        lambda s: dict(s, pred_segments=None),
        'image id 0: the model returned no pred_segments, by whose scores',
    ),
    *(
        ('SemanticIoUMetric', with_labels(change), f'image id 0: {message}')
        for change, message in (
            (lambda m: m + 1, 'the labels has the value 2'),
            (lambda m: m - 1, 'the labels has values -1 to 0'),
            (lambda m: m[:, :-1], r'.*23, 32'),
        )
    ),
    (
        'SemanticIoUMetric',
        lambda s: dict(s, pred_sem_seg=None),
        'image id 0: the model returned no pred_sem_seg',
    ),
    ('ClassMapMetric', with_maps(high_res=nan_like), 'image id 0.*finite'),
    *(
        (k, with_instances(masks=lambda m: m[:, :-1]), r'image id 0.*\(23, 32\)')
        for k in OF_INSTANCES
    ),
    *(
        (k, with_panoptic(lambda m: m[:, :-1]), r'image id 0.*23, 32')
        for k in OF_PANOPTIC
    ),
    ('ClassMapMetric', with_maps(high_res=lambda m: m[:, :-1]), r'image id 0.*23, 32'),
    (
        'PseudoLabelMetric',
        lambda s: dict(s, pred_mask=dict(s['pred_mask'], size=[23, 32])),
        r'annotation id 1 of image id 0.*\[23, 32\]',
    ),
    *(
        (
            k,
            with_instances(labels=by),
            'image id 0: labels must be 0 to 1',
        )
        for k in OF_INSTANCES
        for by in (lambda v: v - 1, lambda v: v + 1)
    ),
    ('PanopticQualityMetric', with_panoptic(lambda m: m + 1), 'image id 0.*label 3'),
    (
        'PanopticQualityMetric',
        with_panoptic(lambda m: m - 9999),
        'image id 0.*negative',
    ),
    ('ClassMapMetric', with_maps(labels=lambda v: v + 1), 'image id 0.*0 to 1'),
    (
        'TagAccuracyMetric',
        lambda s: dict(s, pred_tag_logits=nan_like(s['pred_tag_logits'])),
        'image id 0.*finite',
    ),
    *(
        (
            k,
            lambda s: dict(s, pred_instances=dict(labels=[])),
            'image id 0: no pred_inst',
        )
        for k in OF_INSTANCES
    ),
    *(
        ('CountingMetric', with_points(**change), f'image id 0: {message}')
        for change, message in (
            (dict(labels=lambda v: v + 1), 'labels must be 0 to 1'),
            (dict(labels=lambda v: v[:1]), '1 labels and 2 scores'),
            (dict(scores=nan_like), 'pred_points.scores holds one not finite'),
        )
    ),
    (
        'CountingMetric',
        lambda s: dict(s, pred_points=None),
        'image id 0: no pred_points.labels',
    ),
    *(
        (k, with_instances(labels=lambda v: v[:1]), 'image id 0: .* as many')
        for k in OF_INSTANCES
    ),
    (
        'CocoInstanceMetric',
        with_instances(bboxes=nan_like),
        'image id 0: pred_instances.bboxes',
    ),
]


@pytest.mark.parametrize(
    ('kind', 'change', 'message'),
    FAULTS,
    ids=[f'{number}-{kind}' for number, (kind, *_) in enumerate(FAULTS)],
)
def test_what_cannot_be_judged_is_named(folder, kind, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        run(kind, folder, change)
    assert '\n' not in str(caught.value)


def test_a_rank_without_an_image(folder, tmp_path):
    """One image, two ranks, no padding: the second has nothing to send."""
    command = [sys.executable, metric_ranks.__file__, str(folder)]
    ranks = [
        ForkedTool(
            [*command, str(rank), '2', '1'],
            cwd=tmp_path,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
        for rank in range(2)
    ]
    for rank in ranks:
        _, errors = rank.communicate(timeout=300)
        assert rank.returncode == 0, errors
    together = json.loads((folder / '2.json').read_text())
    for kind in KINDS:
        alone = run(kind, folder, images=range(1))
        values = [v for k, v in together[kind].items() if not isinstance(v, str)]
        np.testing.assert_allclose(values, list(alone.values()), atol=1e-12)
