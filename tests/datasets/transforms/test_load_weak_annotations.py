"""From a label file to batched samples: points, scores, ids, boxes, masks, maps."""

import json

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmwsis.datasets.transforms import LoadWeakAnnotations, PackWeakInputs
from mmwsis.registry import DATASETS, MODELS

BOX = dict(bbox=[2, 3, 10, 8], area=80, segmentation=[[2, 3, 12, 3, 12, 11, 2, 11]])


def ann(number, image_id=7, **own):
    return dict(id=number, image_id=image_id, category_id=17, iscrowd=0, **own)


@pytest.fixture
def load(tmp_path):
    """Samples of annotations on image 7 (32 x 24) and an empty image 8 (20 x 30)."""

    def samples(annotations, supervision='points', **options):
        images = [
            dict(id=7, file_name='a.png', width=32, height=24),
            dict(id=8, file_name='b.png', width=20, height=30),
        ]
        categories = [dict(id=17, name='cat'), dict(id=5, name='dog')]
        coco = dict(images=images, categories=categories, annotations=annotations)
        (tmp_path / 'labels.json').write_text(json.dumps(coco))
        for image in images:
            pixels = np.full((image['height'], image['width'], 3), 90, np.uint8)
            Image.fromarray(pixels).save(tmp_path / image['file_name'])
        dataset = DATASETS.build(
            dict(
                type='mmwsis.CocoWeakDataset',
                ann_file=str(tmp_path / 'labels.json'),
                data_prefix=dict(img=str(tmp_path)),
                metainfo=dict(classes=('dog', 'cat')),
                supervision=supervision,
                pipeline=[
                    dict(type='mmwsis.LoadCachedImage'),
                    dict(type='mmwsis.LoadWeakAnnotations', **options),
                    dict(type='mmwsis.PackWeakInputs'),
                ],
            )
        )
        return [dataset[0], dataset[1]]

    return samples


def test_points_scores_and_ids(load):
    first, second = load(
        [
            ann(31, point=[4, 5.5], score=0.25),
            ann(2**40, point=[31.5, 24]),
            ann(33, image_id=8, point=[0, 0]),
        ]
    )
    instances = first['data_samples'].gt_instances
    assert instances.points.dtype == instances.scores.dtype == torch.float32
    # A click on the border is on the last pixel.
    assert instances.points.tolist() == [[4, 5.5], [31, 23]]
    assert instances.scores.tolist() == [0.25, 1]
    assert instances.labels.tolist() == [1, 1]
    assert instances.ann_ids.tolist() == [31, 2**40]
    assert first['data_samples'].num_dropped == 0
    clicks = second['data_samples'].gt_instances
    assert clicks.points.tolist() == [[0, 0]] and 'scores' not in clicks


def test_ids_that_are_texts(load):
    first, _ = load([ann('0031', point=[4, 5]), ann(31, point=[6, 5])])
    instances = first['data_samples'].gt_instances
    assert instances.ann_ids.tolist() == ['0031', 31]
    assert instances[instances.points[:, 0] > 5].ann_ids.tolist() == [31]


def test_no_object_and_no_tag_give_empty_points(load):
    for samples in (load([]), load([ann(1, point=[1, 2])], 'image_tags')):
        instances = samples[0]['data_samples'].gt_instances
        assert instances.points.shape == (0, 2) and len(instances) == 0
        assert instances.labels.shape == instances.ann_ids.shape == (0,)


@pytest.mark.parametrize('threshold, kept', [(0.7, [2, 3]), (0.69, [1, 2, 3])])
def test_scores_have_to_exceed_the_threshold(load, threshold, kept):
    scores = (0.7, 0.701, None, 0.1)
    annotations = [
        ann(number, point=[number, 1], **({} if score is None else dict(score=score)))
        for number, score in enumerate(scores, start=1)
    ]
    sample, empty = (
        one['data_samples'] for one in load(annotations, score_thr=threshold)
    )
    assert sample.gt_instances.ann_ids.tolist() == kept
    assert sample.num_dropped == 4 - len(kept)
    assert empty.gt_instances.scores.shape == (0,)


def test_crowds(load):
    crowd = {**ann(5), **BOX, 'iscrowd': 1}
    annotations = [ann(4, point=[3, 4], **BOX), crowd]
    sample = load(annotations)[0]['data_samples']
    assert len(sample.ignored_instances) == 0 and sample.num_dropped == 0
    assert sample.gt_instances.ann_ids.tolist() == [4]
    sample = load(annotations, 'masks', with_bbox=True, with_mask=True)[0]
    sample = sample['data_samples']
    assert sample.gt_instances.points.tolist() == [[3, 4]]
    assert sample.gt_instances.masks.masks.sum() == 80
    assert sample.gt_instances.bboxes.tensor.tolist() == [[2, 3, 12, 11]]
    ignored = sample.ignored_instances
    assert ignored.ann_ids.tolist() == [5] and ignored.points.isnan().all()
    assert ignored.bboxes.tensor.tolist() == [[2, 3, 12, 11]]


def test_boxes_without_points(load):
    annotations = [ann(4, bbox=[2, 3, 10, 8])]
    with pytest.raises(ValueError, match=r'id 7\), annotation id 4 has no point at'):
        load(annotations, 'boxes', with_bbox=True)
    options = dict(with_point=False, with_bbox=True)
    sample = load(annotations, 'boxes', **options)[0]['data_samples']
    assert 'points' not in sample.gt_instances
    with pytest.raises(
        ValueError, match=r"no mask at supervision 'boxes'; set with_mask"
    ):
        load(annotations, 'boxes', **options, with_mask=True)
    with pytest.raises(ValueError, match="id 4 has no bbox at supervision 'points'"):
        load([ann(4, point=[2, 3])], **options)
    assert sample.gt_instances.ann_ids.tolist() == [4]


@pytest.mark.parametrize(
    'point', [[-1, 3], [3, -0.01], [32.5, 3], [3, 25], [np.nan, 3]]
)
def test_a_point_outside_never_wraps(point):
    instance = dict(ignore_flag=0, bbox_label=0, ann_id='k7', point=np.array(point))
    results = dict(img_path='a.png', img_id=7, height=24, width=32)
    with pytest.raises(ValueError, match=r"a.png \(image id 7\), annotation id 'k7'"):
        LoadWeakAnnotations()({**results, 'instances': [instance]})


def packed(height, width, points):
    count = len(points)
    results = dict(
        img=np.full((height, width, 3), 90, np.uint8),
        img_shape=(height, width),
        ori_shape=(height, width),
        tags=[0],
        num_classes=2,
        gt_points=np.array(points, np.float32).reshape(-1, 2),
        gt_bboxes_labels=np.zeros(count, np.int64),
        gt_ignore_flags=np.zeros(count, bool),
        gt_ann_ids=np.arange(count),
        gt_seg_map=np.ones((height, width), np.uint8),
        gt_instance_map=np.full((height, width), 3, np.int32)[:, ::-1],
        mask_proposals='proposals',
        num_dropped=2,
    )
    return PackWeakInputs()(results)


def test_maps_and_proposals_are_packed():
    sample = packed(6, 8, [[1, 2]])['data_samples']
    instance_map = sample.gt_panoptic_seg.instance_map
    assert instance_map.shape == (1, 6, 8) and instance_map.dtype == torch.int32
    assert sample.mask_proposals == 'proposals' and sample.num_dropped == 2


@pytest.mark.parametrize(
    'kind', ['mmdet.DetDataPreprocessor', 'mmwsis.WeakDataPreprocessor']
)
def test_batches_of_unequal_images(kind):
    batch = pseudo_collate([packed(6, 8, [[1, 2], [7, 5]]), packed(10, 5, [])])
    preprocessor = MODELS.build(dict(type=kind, pad_seg=True, pad_size_divisor=4))
    data = preprocessor(batch, training=True)
    first, second = data['data_samples']
    assert data['inputs'].shape == (2, 3, 12, 8)
    assert first.gt_instances.points.tolist() == [[1, 2], [7, 5]]
    assert second.gt_instances.points.shape == (0, 2)
    assert first.gt_sem_seg.sem_seg.shape == (1, 12, 8)
    instance_map = second.gt_panoptic_seg.instance_map
    if kind.startswith('mmdet'):
        assert instance_map.shape == (1, 10, 5)  # MMDetection knows none
        return
    assert instance_map.shape == (1, 12, 8) and instance_map.dtype == torch.int32
    assert (instance_map[:, :10, :5] == 3).all()
    assert instance_map.eq(-1).sum() == 12 * 8 - 10 * 5


def test_whole_images_without_padding():
    batch = pseudo_collate([packed(6, 8, [[1, 2]]), packed(6, 8, [])])
    data = MODELS.build(dict(type='mmwsis.WholeImagePreprocessor'))(batch)
    assert data['inputs'].shape == (2, 3, 6, 8)
    assert data['data_samples'][0].gt_instances.points.tolist() == [[1, 2]]


def test_the_transform_prints_its_settings():
    text = repr(LoadWeakAnnotations(score_thr=0.7, with_mask=True))
    assert 'score_thr=0.7' in text and 'with_mask=True' in text


@pytest.mark.parametrize('seed', range(4))
def test_the_pixel_of_a_click_goes_along_from_file_to_batch(tmp_path, seed):
    rng = np.random.default_rng(seed)
    pixels = np.zeros((24, 32, 3), np.uint8)
    rows, columns = np.divmod(rng.permutation(24 * 32)[:12], 32)
    pixels[rows, columns] = np.arange(1, 13)[:, None]
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    points = np.column_stack([columns, rows]).tolist()
    coco = dict(
        images=[dict(id=7, file_name='a.png', width=32, height=24)],
        categories=[dict(id=17, name='cat')],
        annotations=[ann(n, point=p) for n, p in enumerate(points, start=1)],
    )
    (tmp_path / 'labels.json').write_text(json.dumps(coco))
    dataset = DATASETS.build(
        dict(
            type='mmwsis.CocoWeakDataset',
            ann_file=str(tmp_path / 'labels.json'),
            data_prefix=dict(img=str(tmp_path)),
            metainfo=dict(classes=('cat',)),
            supervision='points',
            pipeline=[
                dict(type='mmwsis.LoadCachedImage'),
                dict(type='mmwsis.LoadWeakAnnotations'),
                dict(type='mmwsis.RandomCropOrPad', crop_size=28),
                dict(type='mmwsis.RandomFlip', prob=0.5),
                dict(type='mmwsis.PackWeakInputs'),
            ],
        )
    )
    np.random.seed(seed)
    item = dataset[0]
    instances = item['data_samples'].gt_instances
    x, y = instances.points.long().T
    assert item['inputs'][0, y, x].tolist() == instances.ann_ids.tolist()
    assert len(instances) + item['data_samples'].num_dropped == 12
