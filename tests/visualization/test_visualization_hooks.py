"""Figures and hooks as a run uses them: files, backends, ``--show-dir``."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as mask_codec

from mmwsis.engine.hooks import (
    CropPredictionVisualizationHook,
    RetrievalVisualizationHook,
)
from mmwsis.registry import HOOKS
from mmwsis.structures import ObjectCropSample
from mmwsis.visualization import object_tiles

IMAGE = np.full((48, 64, 3), 90, np.uint8)


def rle():
    mask = np.zeros((48, 64), np.uint8, order='F')
    mask[10:30, 12:40] = 1
    encoded = mask_codec.encode(mask)
    return dict(size=encoded['size'], counts=encoded['counts'].decode())


def crop_sample(tmp_path):
    path = tmp_path / 'image.png'
    Image.fromarray(IMAGE).save(path)
    sample = ObjectCropSample(
        metainfo=dict(
            img_id=3,
            ann_id=8,
            label=0,
            img_path=str(path),
            bbox=(12.0, 10.0, 39.0, 29.0),
            crop_box=(4, 4, 48, 36),
            crop_size=32,
            flip=False,
            gt_mask=rle(),
            pred_mask=rle(),
            pred_score=0.7,
        )
    )
    sample.box_mask = torch.ones(32, 32, dtype=torch.uint8)
    sample.extreme_points = torch.tensor(
        [[20, 10], [12, 20], [20, 29], [39, 20]], dtype=torch.float64
    )
    return sample


def test_tiles_show_weak_label_ground_truth_and_prediction(tmp_path):
    sample = crop_sample(tmp_path)
    tiles = object_tiles(IMAGE, sample, ('star',))
    captions = [tile.caption for tile in tiles]
    assert captions == [
        'image 3, annotation 8: star',
        'ground truth',
        'prediction, score 0.70, IoU 1.00',
    ]
    assert len(object_tiles(IMAGE, sample, draw_gt=False)) == 2
    assert len(object_tiles(IMAGE, sample, draw_gt=False, draw_pred=False)) == 1


def fake_runner(tmp_path, visualizer, iteration=0):
    dataset = SimpleNamespace(metainfo=dict(classes=('star',)))
    return SimpleNamespace(
        iter=iteration,
        work_dir=str(tmp_path),
        timestamp='now',
        visualizer=visualizer,
        cfg={},
        train_dataloader=SimpleNamespace(dataset=dataset),
    )


class Recorder:
    """A visualizer that keeps what it is given."""

    dataset_meta = dict(classes=('star',))

    def __init__(self):
        self.images = {}

    def add_image(self, name, image, step=0):
        self.images[name, step] = image


def test_prediction_hook_serves_show_dir(tmp_path):
    hook = HOOKS.build(dict(type='mmwsis.CropPredictionVisualizationHook'))
    sample, recorder = crop_sample(tmp_path), Recorder()
    runner = fake_runner(tmp_path, recorder)
    hook.after_test_iter(runner, 0, None, [sample])
    assert not recorder.images  # off until asked for
    # What tools/test.py --show-dir sets.
    hook = CropPredictionVisualizationHook(draw=True, test_out_dir='show')
    hook.after_test_iter(runner, 0, None, [sample])
    assert (tmp_path / 'now/show/image_8.png').is_file()
    assert not recorder.images
    hook = CropPredictionVisualizationHook(draw=True, interval=2)
    for index in range(3):
        hook.after_val_iter(runner, index, None, [sample] * 9)
    assert sorted(recorder.images) == [('val_masks', 0), ('val_masks', 2)]


def test_class_map_hook_draws_maps_over_the_image(tmp_path):
    image = np.full((40, 50, 3), 90, np.uint8)
    Image.fromarray(image).save(tmp_path / 'scene.png')
    meta = dict(img_path=str(tmp_path / 'scene.png'), img_id=3, ori_shape=(40, 50))
    heat = torch.zeros(1, 40, 50)
    heat[0, :20] = 0.9
    samples = [DetDataSample(metainfo=meta), DetDataSample(metainfo=meta)]
    samples[0].pred_class_maps = InstanceData(labels=torch.tensor([0]), high_res=heat)
    samples[1].pred_class_maps = InstanceData(
        labels=torch.zeros(0, dtype=torch.int64), high_res=heat[:0]
    )
    recorder = Recorder()
    runner = fake_runner(tmp_path, recorder)
    hook = HOOKS.build(
        dict(type='mmwsis.ClassMapVisualizationHook', draw=True, test_out_dir='show')
    )
    hook.after_test_iter(runner, 0, None, samples[:1])
    drawn = np.asarray(Image.open(tmp_path / 'now/show/scene_3.png').convert('RGB'))
    tinted = (np.abs(drawn.astype(int) - 90).max(-1) > 30).sum()
    assert tinted > 1000
    hook = HOOKS.build(dict(type='mmwsis.ClassMapVisualizationHook', draw=True))
    hook.after_test_iter(runner, 0, None, samples)
    assert len(recorder.images) == 2  # an image without classes is shown as it is
    for sample in samples:
        sample.pred_points = InstanceData(
            labels=sample.pred_class_maps.labels,
            points=torch.tensor([[30, 35]])[: len(sample.pred_class_maps.labels)],
        )
    hook.show_points = True
    hook.after_test_iter(runner, 0, None, samples)
    without, with_dot = (recorder.images['test_masks', step] for step in (1, 3))
    changed = (without != with_dot).any(-1)
    assert 50 < changed.sum() < 5000  # the dot, and its number in the caption


def test_retrieval_hook_draws_at_its_interval(tmp_path, monkeypatch):
    from mmwsis.engine.hooks import retrieval_visualization_hook as module

    drawn = []
    monkeypatch.setattr(
        module, 'retrieval_figures', lambda *args: drawn.append(args) or ['figure']
    )
    monkeypatch.setattr(module, 'retrieval_sheet', lambda figures, title: title)
    recorder = Recorder()
    hook = RetrievalVisualizationHook(interval=5, num_samples=2)
    for iteration in range(10):
        runner = fake_runner(tmp_path, recorder, iteration)
        runner.model = torch.nn.Identity()
        hook.after_train_iter(runner, iteration, dict())
    assert [step for _, step in recorder.images] == [1, 5, 10]
    assert drawn[0][2:] == (2, ('star',))
    with pytest.raises(ValueError, match='at least 1'):
        RetrievalVisualizationHook(interval=0)
