"""BESTIE's pipelines as its configs have them, from files to a batch of targets."""

import copy
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from mmwsis.datasets import CocoWeakDataset
from mmwsis.datasets.transforms import GenerateCenterTargets, RandomMirror
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.ops import center_targets
from mmwsis.registry import MODELS

FRAGMENT = Path(__file__).parents[3] / 'configs/_base_/datasets/bestie_crops.py'
CLASSES = ('cat', 'dog', 'owl')
# Name, size, rectangles (class, x0, y0, x1, y1) of the semantic map, points.
IMAGES = (
    ('wide', (60, 90), [(0, 10, 10, 40, 50), (1, 50, 20, 80, 55)], [(0, 20, 30)]),
    ('tall', (200, 100), [(2, 20, 20, 70, 180)], [(2, 40, 50), (2, 60, 60)]),
    ('dot', (64, 64), [(1, 30, 30, 31, 31)], [(1, 30, 30)]),  # one pixel
    ('tag without component', (64, 64), [], [(0, 5, 5)]),
    ('ignored', (64, 64), [(254, 0, 0, 64, 64)], [(0, 5, 5)]),
    ('crowded', (64, 64), [(0, 4, 4, 60, 60)], [(0, 9, 9)] * 300),
    ('empty', (64, 64), [], []),
)


def write_maps(folder):
    entries = []
    for number, (name, size, rectangles, _) in enumerate(IMAGES):
        values = np.zeros(size, np.uint8)
        for label, x0, y0, x1, y1 in rectangles:
            values[y0:y1, x0:x1] = label + 1
        content = encode_semantic_map(values, ('background', *CLASSES))
        (folder / f'{name}.png').write_bytes(content)
        entries.append(dict(id=number, file=f'{name}.png'))
    index = dict(type='semantic_maps', classes=['background', *CLASSES], images=entries)
    (folder / 'index.json').write_text(json.dumps(index))


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Images, semantic maps, and one file of points with scores and tags."""
    root = tmp_path_factory.mktemp('bestie')
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number, (name, size, rectangles, points) in enumerate(IMAGES):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(root / f'{name}.jpg'), image)
        present = {one[0] + 1 for one in (*rectangles, *points) if one[0] < 3}
        images.append(
            dict(
                id=number,
                file_name=f'{name}.jpg',
                height=size[0],
                width=size[1],
                tags=sorted(present),
            )
        )
        annotations += [
            dict(image_id=number, category_id=label + 1, point=[x, y], score=0.9)
            for label, x, y in points
        ]
    for number, annotation in enumerate(annotations):
        annotation['id'] = number + 1
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)]
    content = dict(images=images, categories=categories, annotations=annotations)
    (root / 'points.json').write_text(json.dumps(content))
    (root / 'maps').mkdir()
    write_maps(root / 'maps')
    return root


def dataset(files, pipeline, supervision, **settings):
    steps = copy.deepcopy(Config.fromfile(FRAGMENT).to_dict()[pipeline])
    for step in steps:
        kind = step['type'].rpartition('.')[2]
        if kind == 'LoadSemanticMap':
            step['folder'] = str(files / 'maps')
        if kind == 'LoadCues' and supervision == 'image_tags':
            step['ann_file'] = str(files / 'points.json')
        elif kind == 'LoadCues':
            step.clear()
            step['type'] = 'mmwsis.LoadWeakAnnotations'
        if kind == 'GenerateCenterTargets' and supervision == 'points':
            step['centers_from'] = 'points'
        if 'crop_size' in step:
            step['crop_size'] = settings.get('crop_size', 96)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return CocoWeakDataset(
            ann_file=str(files / 'points.json'),
            data_prefix=dict(img=str(files)),
            metainfo=dict(classes=CLASSES),
            supervision=supervision,
            pipeline=steps,
            filter_cfg=None,
        )


def expected_targets(sample, centers_from):
    objects = sample.gt_instances
    return center_targets(
        sample.gt_sem_seg.sem_seg[0],
        objects.points.long(),
        objects.labels,
        sample.gt_tags.bool(),
        centers_from=centers_from,
    )


@pytest.mark.parametrize(
    ('supervision', 'centers_from'),
    [('image_tags', 'components'), ('points', 'points')],
)
@pytest.mark.parametrize('crop_size', [96, 416])
def test_a_batch_of_targets(files, supervision, centers_from, crop_size):
    """Images smaller and larger than the crop, and all that may be in them."""
    data = dataset(files, 'train_pipeline', supervision, crop_size=crop_size)
    np.random.seed(0)
    packed = [data[index] for index in range(len(data))]
    maps = [len(one['data_samples'].gt_center_targets.centers) for one in packed]
    assert maps == [2, 1, 1, 1, 1, 1, 0]  # of tagged classes alone
    preprocessor = MODELS.build(
        dict(
            type='mmwsis.WeakDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        )
    )
    batch = preprocessor(pseudo_collate(packed), training=True)
    size = crop_size, crop_size
    assert batch['inputs'].shape == (7, 3, *size)
    for name, *_ in IMAGES:
        sample = batch['data_samples'][[one[0] for one in IMAGES].index(name)]
        targets = sample.gt_center_targets
        assert targets.centers.shape == (3, *size)
        assert targets.offsets.shape == (2, *size)
        assert targets.weights.shape == (1, *size)
        assert sample.gt_sem_seg.sem_seg.shape == (1, *size)
        for key, expected in expected_targets(sample, centers_from)._asdict().items():
            assert torch.equal(targets.get(key), expected), name
        if name in ('dot', 'tag without component', 'ignored', 'crowded', 'empty'):
            assert not targets.weights.any()
    assert batch['data_samples'][0].gt_center_targets.weights.any()
    again = preprocessor(dict(batch, inputs=list(batch['inputs'])), training=True)
    assert again['data_samples'][0].gt_center_targets.centers.shape == (3, *size)


def test_what_lies_around_a_small_image_is_background(files):
    data = dataset(files, 'train_pipeline', 'image_tags', crop_size=416)
    for step in data.pipeline.transforms:
        if type(step).__name__ == 'BrightnessContrastHue':
            step.prob = 0
        if type(step).__name__ == 'RandomChoiceRescale':
            step.factors = (0.7,)
    np.random.seed(0)
    sample = data[2]  # 449 pixels, times 0.7
    outside = (sample['inputs'] == torch.tensor([103, 116, 123])[:, None, None]).all(0)
    assert outside.sum() >= 416**2 - 314**2
    assert not sample['data_samples'].gt_sem_seg.sem_seg[0][outside].any()


def test_whole_images_to_predict_on(files):
    for pipeline in ('test_pipeline', 'label_pipeline'):
        data = dataset(files, pipeline, 'image_tags')
        assert data[0]['inputs'].shape == (3, 64, 96)
        sample = data[0]['data_samples']
        assert sample.ori_shape == (60, 90) and sample.img_shape == (64, 96)


def loaded(**changes):
    data = dict(
        img=np.zeros((20, 20, 3), np.uint8),
        img_id=7,
        img_path='7.jpg',
        gt_seg_map=np.ones((20, 20), np.uint8),
        gt_points=np.array([[3.4, 5.5], [np.nan, np.nan]], np.float32),
        gt_bboxes_labels=np.array([0, 0]),
        tags=[0],
        num_classes=2,
    )
    return {**data, **changes}


def test_a_point_is_on_its_nearest_pixel_and_a_crowd_has_none():
    seg_map = np.zeros((20, 20), np.uint8)
    seg_map[6:16, 3:13] = 1
    targets = GenerateCenterTargets()(loaded(gt_seg_map=seg_map))['gt_center_targets']
    assert targets.weights.sum() == 100


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(gt_bboxes_labels=np.array([2, 0])), r'labels: expected integers in \[0'),
        (dict(gt_seg_map=np.full((20, 20), 9, np.uint8)), r'got \[9\]; .*class table'),
        (dict(gt_seg_map=np.ones((20, 21), np.uint8)), r'\(20, 21\), the image \(20,'),
        (dict(tags=[5]), r'tags must be labels in 0..1'),
    ],
)
def test_errors_name_the_image(changes, message):
    with pytest.raises(ValueError, match=rf'Image 7.jpg \(image id 7\): .*{message}'):
        GenerateCenterTargets()(loaded(**changes))


def test_what_is_not_loaded_is_named():
    sample = loaded()
    del sample['gt_points'], sample['gt_seg_map']
    with pytest.raises(KeyError, match='needs gt_seg_map and gt_points of the sample'):
        GenerateCenterTargets()(sample)


def test_targets_are_made_last():
    sample = GenerateCenterTargets()(loaded())
    with pytest.raises(ValueError, match=r'must follow .* \(image id 7\)'):
        RandomMirror()(sample)
