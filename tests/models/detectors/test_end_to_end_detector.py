"""A network that is labeler and final model goes through every tool."""

import json
import os
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.preflight import PreflightError
from mmwsis.engine.requirements import requirements_of
from mmwsis.engine.run_check import check_run
from mmwsis.engine.run_config import load_run_config
from mmwsis.formats.map_index import MapIndex
from mmwsis.models.detectors import fill_instances, fill_panoptic
from mmwsis.pseudo_labels import GenerationOptions, generate_pseudo_labels

HERE = Path(__file__).parent
TOOLS = HERE.parents[2] / 'tools'
sys.path.insert(0, str(HERE))
import toy_network  # noqa: E402

CHECKPOINT = 'work_dirs/toy_config/iter_30.pth'
# The same network on masks: its fully-supervised baseline.
FULL = """
_base_ = 'toy_config.py'
train_dataloader = dict(dataset=dict(
    supervision='masks', ann_file='annotations/instances_train.json'))
wsis = dict(_delete_=True, stage='final_model')
"""
# A model on its pseudo labels.
REFINED = """
_base_ = 'mmwsis::final_models/mask-rcnn_r18_synthetic.py'
train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/toy.json'))
wsis = dict(stage='final_model', labeler='toy_config.py')
"""
PIPELINE = """
pipeline = dict(name='toy', title='A toy', work_dir='work_dirs/pipelines/toy', stages=[
    dict(name='network', type='train', config='toy_config.py'),
    dict(name='network_test', type='test', config='toy_config.py'),
    dict(name='pseudo_labels', type='generate', config='toy_config.py',
         out='scenes/pseudo_labels/toy.json'),
    dict(name='full_supervision', type='train', config='toy_full.py'),
    dict(name='full_test', type='test', config='toy_full.py'),
    dict(name='report', type='report', weak='network_test', full='full_test'),
])
"""


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with scenes, the configs and what tools/train.py makes."""
    folder = tmp_path_factory.mktemp('end_to_end')
    make_synthetic(folder / 'scenes', SyntheticSettings(train=4, val=3, size=64))
    shutil.copy(HERE / 'toy_config.py', folder)
    (folder / 'toy_full.py').write_text(FULL)
    (folder / 'refined.py').write_text(REFINED)
    (folder / 'pipeline.py').write_text(PIPELINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(patch, 'train.py', 'toy_config.py')
    return folder


@pytest.fixture
def inside(trained, monkeypatch):
    monkeypatch.chdir(trained)
    return trained


def run(patch, tool, *arguments):
    """A tool, as its file runs; in this process, because imports take seconds."""
    patch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    patch.setenv('LOCAL_RANK', '0')
    runpy.run_path(str(TOOLS / tool), run_name='__main__')


def measure(patch, shown, *options):
    out = Path(f'{shown}.json')
    run(
        *(patch, 'test.py', 'toy_config.py', CHECKPOINT, '--show-dir', shown),
        *('--metrics-out', out, *options),
    )
    pictures = sorted(Path('work_dirs/toy_config').glob(f'*/{shown}/*.png'))
    return json.loads(out.read_text()), [cv2.imread(str(file)) for file in pictures]


def test_metrics_and_pictures(inside, monkeypatch):
    metrics, pictures = measure(monkeypatch, 'shown')
    names = 'coco/bbox_mAP_50', 'coco/segm_mAP_50', 'voc/AP50', 'panoptic/PQ_th'
    assert all(metrics[name] > 0.05 for name in names), metrics
    assert len(pictures) == 3
    truth, predicted = np.split(pictures[0], 2, axis=1)
    assert (truth != predicted).any(-1).mean() > 0.05


def test_no_predictions_are_no_error(inside, monkeypatch):
    option = 'model.test_cfg.threshold=2'
    metrics, pictures = measure(monkeypatch, 'nothing', '--cfg-options', option)
    assert metrics['coco/segm_mAP_50'] == metrics['panoptic/PQ'] == 0
    assert metrics['voc/AP50'] == 0
    for picture in pictures:
        truth, predicted = np.split(picture, 2, axis=1)
        assert (truth == predicted).all()


def test_it_labels_too(inside, monkeypatch):
    for kind in toy_network.BoxNetwork.artifacts:
        out = Path('labels', kind if kind == 'semantic_maps' else f'{kind}.json')
        run(
            *(monkeypatch, 'generate_pseudo_labels.py', 'toy_config.py', CHECKPOINT),
            *('--artifact', kind, '--out', out),
        )
    instances, points, panoptic = (
        json.loads(Path(f'labels/{kind}.json').read_text())
        for kind in ('instances', 'points', 'panoptic_maps')
    )
    assert instances['info']['mmwsis']['supervision'] == 'boxes'
    assert {entry['image_id'] for entry in instances['annotations']} == {1, 2, 3, 4}
    segments = sum(len(image['segments_info']) for image in panoptic['annotations'])
    counts = [len(made['annotations']) for made in (instances, points)]
    assert counts == [segments, segments]
    assert MapIndex('labels/semantic_maps', 'semantic_maps').path(1).is_file()


def test_an_artifact_that_it_cannot_make_is_refused(inside, monkeypatch):
    with pytest.raises(SystemExit) as end:
        run(
            *(monkeypatch, 'generate_pseudo_labels.py', 'toy_config.py', CHECKPOINT),
            *('--artifact', 'class_maps', '--out', 'maps'),
        )
    text = str(end.value)
    assert "BoxNetwork cannot make the artifact 'class_maps'; it makes" in text
    assert "'instances', 'semantic_maps'" in text
    options = GenerationOptions(artifact='class_maps')
    with pytest.raises(ValueError, match='BoxNetwork cannot make'):
        generate_pseudo_labels(
            load_run_config('toy_config.py'), CHECKPOINT, 'maps', options
        )
    assert not list(Path().glob('maps*'))


def test_the_inferencer_of_mmdetection(inside):
    from mmdet.apis import DetInferencer

    inferencer = DetInferencer('toy_config.py', CHECKPOINT, device='cpu')
    answer = inferencer('scenes/val/500001.png', out_dir='seen', no_save_pred=False)
    (found,) = answer['predictions']
    assert found['labels'] and found['masks'][0]['size'] == [64, 64]
    assert Path('seen/vis/500001.png').is_file()
    segments = cv2.imread(found['panoptic_seg_path']).astype(int) @ [65536, 256, 1]
    assert {code % 1000 for code in np.unique(segments)} - {0} <= {*found['labels']}


def said(config, task='train', **options):
    options = {key.replace('__', '.'): value for key, value in options.items()}
    cfg = load_run_config(config, options)
    try:
        check_run(cfg, task, ['out'])
    except PreflightError as error:
        return str(error)
    return ''


def test_nothing_is_said_of_what_declares_itself(inside):
    for task in ('train', 'test', 'generate'):
        assert said('toy_config.py', task) == ''
        assert said('toy_full.py', task) == ''
    assert load_run_config('toy_config.py').work_dir == 'work_dirs/toy_config'
    assert 'fully_supervised' in load_run_config('toy_full.py').work_dir


@pytest.mark.parametrize('stage', ['final_model', 'labeler'])
def test_weak_labels_must_be_declared(inside, stage):
    text = said('toy_config.py', wsis__stage=stage)
    assert "train_dataloader.dataset has supervision='boxes'" in text
    assert "wsis = dict(stage='end_to_end', supervision='boxes'" in text


def test_stronger_labels_than_declared_are_refused(inside):
    text = said('toy_config.py', wsis__supervision='points')
    assert 'train_dataloader.dataset reads boxes' in text
    assert "declares wsis.supervision='points'" in text
    text = said('toy_config.py', 'generate', wsis__supervision='image_tags')
    assert 'pseudo_label_dataloader.dataset reads boxes' in text
    text = said('toy_config.py', train_dataloader__dataset__supervision='masks')
    assert 'train_dataloader.dataset reads masks' in text


def test_method_and_supervision_are_asked_for(inside):
    assert 'says in wsis its method' in said('toy_config.py', wsis__method=None)
    assert 'says in wsis its method' in said('toy_config.py', wsis__supervision=None)


def test_masks_of_others_are_refused(inside):
    with pytest.raises(ValueError, match="the stage of .* is 'end_to_end'"):
        load_run_config(
            'toy_config.py', labels='scenes/annotations/instances_train.json'
        )


def test_its_pseudo_labels_can_be_asked_for(inside):
    cfg = load_run_config('refined.py')
    assert cfg.wsis.method == 'TOY' and cfg.wsis.supervision == 'boxes'
    made = {item.path: item.command for item in requirements_of(cfg)}
    assert made['scenes/pseudo_labels/toy.json'] == (
        f'python tools/generate_pseudo_labels.py toy_config.py {CHECKPOINT}'
    )


def fitted(folder, **val):
    """The config for another dataset, with two classes and boxes of its own."""
    spec = dict(
        name='mine',
        data_root='scenes',
        classes=('disc', 'bar'),
        train=dict(img='train', weak=dict(boxes='weak/boxes_train.json')),
        val=dict(img='val', **val),
    )
    Path(folder, 'mine.py').write_text(f'data_spec = {spec!r}\n')
    return load_run_config('toy_config.py', dataset='mine.py')


def test_it_fits_another_dataset(inside):
    cfg = fitted(inside, ann_file='annotations/instances_val.json')
    assert cfg.model.num_classes == 2
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.ann_file == 'weak/boxes_train.json'
        assert loader.dataset.metainfo.classes == ('disc', 'bar')
    assert cfg.wsis.stage == 'end_to_end'
    # Without panoptic files their metric is left out.
    kinds = [metric.type for metric in cfg.test_evaluator]
    assert kinds == ['mmwsis.CocoInstanceMetric', 'mmwsis.VOCInstanceMetric']
    check_run(cfg, 'train')
    cfg = fitted(
        inside,
        ann_file='annotations/instances_val.json',
        panoptic=dict(ann_file='annotations/panoptic_val.json'),
    )
    assert cfg.test_evaluator[2].seg_prefix == 'scenes/annotations/panoptic_val/'


def test_a_metric_without_its_files_is_refused(inside):
    file = inside / 'panoptic_only.py'
    file.write_text(
        "_base_ = 'toy_config.py'\n"
        'val_evaluator = _base_.val_evaluator[2:]\ntest_evaluator = val_evaluator\n'
    )
    fitted(inside, ann_file='annotations/instances_val.json')
    with pytest.raises(ValueError, match=r'data_spec\.val\.panoptic is missing'):
        load_run_config('panoptic_only.py', dataset='mine.py')


@pytest.mark.slow
def test_its_pipeline_reports_retention(inside, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', f'{HERE}{os.pathsep}{TOOLS.parent}')
    run(monkeypatch, 'run_pipeline.py', 'pipeline.py')
    report = json.loads(Path('work_dirs/pipelines/toy/report.json').read_text())
    summary = report['summary']
    assert summary['weak']['mask AP'] > 0 and summary['retention'] > 0
    assert summary['full']['PQ'] > 0
    text = Path('work_dirs/pipelines/toy/report.md').read_text()
    assert 'mask AP, trained on weak labels' in text
    assert Path('work_dirs/pipelines/toy/pictures/predictions.png').is_file()


def test_predictions_of_a_wrong_size_are_refused():
    sample = DetDataSample(metainfo=dict(img_id=7, ori_shape=(4, 6)))
    none = torch.zeros(0)
    with pytest.raises(ValueError, match=r'image id 7: expected masks .*\(0, 4, 6\)'):
        fill_instances(sample, none, none, torch.zeros(0, 6, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match='2 scores'):
        fill_instances(sample, none, torch.zeros(2), torch.zeros(0, 4, 6))
    with pytest.raises(ValueError, match=r'image id 7: the panoptic map is \(6, 4\)'):
        fill_panoptic(sample, torch.zeros(6, 4), none, 1, 2)


def test_no_predictions_keep_their_shapes():
    sample = DetDataSample(metainfo=dict(ori_shape=(4, 6)))
    none = torch.zeros(0, dtype=torch.int64)
    fill_instances(sample, none, torch.zeros(0), torch.zeros(0, 4, 6, dtype=torch.bool))
    found = sample.pred_instances
    assert found.masks.shape == (0, 4, 6) and found.bboxes.shape == (0, 4)
    fill_panoptic(sample, torch.full((4, 6), -1), none, 1, 2)
    assert (sample.pred_panoptic_seg.sem_seg == 2).all()


def test_any_number_below_0_is_no_segment():
    sample = DetDataSample(metainfo=dict(ori_shape=(1, 3)))
    fill_panoptic(sample, torch.tensor([[0, -1, -2]]), torch.tensor([0, 1]), 1, 2)
    assert sample.pred_panoptic_seg.sem_seg.tolist() == [[[1000, 2, 2]]]
