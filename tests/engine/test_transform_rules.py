"""Transforms that would leave points or proposals behind are found before a run."""

import pytest
from mmengine.config import Config

from mmwsis.engine.transform_rules import transform_problems

POINTS = dict(type='mmwsis.LoadWeakAnnotations')
BOXES = dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_bbox=True)
PROPOSALS = dict(type='mmwsis.LoadProposals', path='proposals')


def problems(*pipeline):
    dataset = dict(
        type='mmwsis.CocoWeakDataset',
        supervision='points',
        ann_file='points.json',
        metainfo=dict(classes=('cat',)),
        pipeline=[dict(type='mmwsis.LoadCachedImage'), *pipeline],
    )
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    return list(transform_problems(cfg, ('train', 'val')))


@pytest.mark.parametrize('name', ['mmdet.RandomFlip', 'RandomFlip', 'mmcv.Resize'])
def test_labels_that_are_left_behind(name):
    (text,) = problems(POINTS, PROPOSALS, dict(type=name))
    assert text.startswith('train_dataloader.dataset.pipeline[3]: ' + name)
    assert 'not the points and proposals' in text and 'mmwsis.RandomMirror' in text


def test_proposals_that_were_made_are_left_behind_too():
    (text,) = problems(dict(type='mmwsis.GenerateProposals'), dict(type='Resize'))
    assert 'Resize moves the image, but not the proposals' in text


def test_cues_are_left_behind_too():
    (text,) = problems(dict(type='mmwsis.LoadCues', ann_file='c'), dict(type='Resize'))
    assert 'Resize moves the image, but not the points' in text


@pytest.mark.parametrize(
    'pipeline',
    [
        [POINTS, PROPOSALS, dict(type='mmwsis.RandomMirror')],
        [POINTS, dict(type='mmwsis.ResizeToMultiple')],
        [POINTS, dict(type='mmdet.PhotoMetricDistortion')],
        [BOXES, dict(type='mmdet.RandomFlip')],
        [dict(type='mmdet.Resize', scale=(64, 64)), PROPOSALS],
    ],
)
def test_pipelines_that_move_everything(pipeline):
    assert not problems(*pipeline)
