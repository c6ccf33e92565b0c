"""Training curves from MMEngine's scalars."""

import json

import pytest

from mmwsis.visualization.curves import group_curves, plot_curves, read_scalars


def log(work_dir, run, entries):
    folder = work_dir / run / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps(entry) for entry in entries]
    (folder / 'scalars.json').write_text('\n'.join(lines))


def test_resumed_runs_are_joined(tmp_path):
    log(tmp_path, '20260101_000000', [
        dict(lr=0.1, loss=3.0, iter=10, step=10, epoch=1, time=1, memory=5),
        dict(loss=2.0, iter=20, step=20),
    ])  # fmt: skip
    log(tmp_path, '20260102_000000', [
        dict(loss=1.5, iter=20, step=20),
        {'pseudo_label/class_mean_iou': 0.7, 'coco/segm_mAP_l': -1, 'step': 1},
    ])  # fmt: skip
    with (tmp_path / '20260102_000000/vis_data/scalars.json').open('a') as file:
        file.write('\n{"loss": 0.')  # killed while writing
    curves = read_scalars(tmp_path)
    assert curves['loss'] == [(10, 3.0), (20, 1.5)]
    assert curves['pseudo_label/class_mean_iou'] == [(20, 0.7)]
    assert set(curves) == {'loss', 'lr', 'pseudo_label/class_mean_iou'}
    file = plot_curves(curves, tmp_path / 'out' / 'curves.png', 'toy')
    assert file.read_bytes()[:4] == b'\x89PNG'
    with pytest.raises(ValueError, match='nothing to plot'):
        plot_curves(curves, tmp_path / 'x.png', keys=('accuracy',))


def test_panels_hold_every_scalar_once():
    names = (
        'loss',
        'loss_crf',
        'lr',
        'grad_norm',
        'coco/segm_mAP',
        'fallback_rate',
        'x',
    )
    panels = group_curves({name: [(1, 1.0)] for name in names})
    assert panels['losses'].keys() == {'loss', 'loss_crf'}
    assert list(panels) == [
        'losses',
        'learning rate',
        'gradient norm',
        'rates',
        'metrics',
        'other',
    ]
    assert sum(len(members) for members in panels.values()) == len(names)


def test_metrics_in_percent_have_an_axis_of_their_own():
    curves = {'acc': [(1, 0.5), (2, 93.0)], 'coco/segm_mAP': [(2, 0.3)]}
    panels = group_curves(curves)
    assert panels['metrics'].keys() == {'coco/segm_mAP'}
    assert panels['metrics in percent'].keys() == {'acc'}
    assert list(group_curves({'acc': curves['acc']})) == ['metrics']


def test_no_log_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'scalars\.json'):
        read_scalars(tmp_path)
