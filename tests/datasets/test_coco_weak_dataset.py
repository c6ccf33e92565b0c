import numpy as np
import pytest
from mmdet.datasets import CocoDataset
from mmengine.registry import DefaultScope

from mmwsis.formats import coco_file
from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision

LEVELS = [level.label for level in Supervision]
COMMON = {
    'img_id',
    'img_path',
    'seg_map_path',
    'height',
    'width',
    'tags',
    'classes',
    'stuff_classes',
    'category_ids',
    'num_classes',
    'supervision',
    'instances',
    'sample_idx',
}
INSTANCE_KEYS = {
    'points': {'point'},
    'boxes': {'point', 'bbox'},
    'extreme_points': {'point', 'bbox', 'extreme_points'},
    'masks': {'point', 'bbox', 'extreme_points', 'mask'},
}


@pytest.fixture
def mmdet_scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def build(ann_file, supervision, classes=('cat', 'dog'), **kwargs):
    kwargs.setdefault('data_prefix', dict(img='images/'))
    return DATASETS.build(
        dict(
            type='mmwsis.CocoWeakDataset',
            ann_file=ann_file,
            metainfo=dict(classes=classes),
            supervision=supervision,
            **kwargs,
        )
    )


@pytest.mark.parametrize('level', LEVELS)
def test_keys_of_a_sample(labelled_coco, write_coco, level):
    dataset = build(write_coco(labelled_coco), level)
    assert len(dataset) == 3
    info = dataset.get_data_info(0)
    assert set(info) == COMMON
    assert (info['img_id'], info['height'], info['width']) == (70, 90, 120)
    assert info['img_path'] == 'images/a.png'
    assert info['tags'] == [0, 1] and info['supervision'] == level
    if level == 'image_tags':
        assert info['instances'] == []
        return
    cat, crowd = info['instances']
    expected = {'ann_id', 'bbox_label', 'ignore_flag'} | INSTANCE_KEYS[level]
    assert set(cat) == set(crowd) == expected
    assert (cat['ann_id'], cat['bbox_label'], cat['ignore_flag']) == (901, 0, 0)
    assert (crowd['ann_id'], crowd['bbox_label'], crowd['ignore_flag']) == (500, 1, 1)
    np.testing.assert_array_equal(cat['point'], [40.5, 45.5])
    if level in ('boxes', 'masks', 'extreme_points'):
        assert cat['bbox'] == [10.5, 20.25, 70.5, 70.75]
    if 'extreme_points' in cat:
        assert cat['extreme_points'].shape == (4, 2)


def test_masks_level_equals_mmdet(labelled_coco, write_coco):
    tiny = dict(labelled_coco['annotations'][0], id=1, bbox=[5, 5, 0.5, 9])
    ignored = dict(labelled_coco['annotations'][0], id=2, ignore=True)
    no_area = dict(labelled_coco['annotations'][0], id=3, area=0)
    no_mask = dict(labelled_coco['annotations'][0], id=4, segmentation=[])
    labelled_coco['annotations'] += [tiny, ignored, no_area, no_mask]
    path = write_coco(labelled_coco, images=False)
    for filter_cfg in (None, dict(filter_empty_gt=True, min_size=65)):
        for classes in (('cat', 'dog'), ('dog',), ('cat', 'sky')):
            kwargs = dict(
                data_prefix=dict(img='x/', seg='s/'),
                filter_cfg=filter_cfg,
                serialize_data=False,
            )
            ours = build(path, 'masks', classes, **kwargs)
            mmdet = CocoDataset(ann_file=path, metainfo=dict(classes=classes), **kwargs)
            extra_image_keys = {'tags', 'supervision', 'num_classes'}
            extra_keys = {'ann_id', 'point', 'extreme_points'}
            stripped = [
                {k: v for k, v in info.items() if k not in extra_image_keys}
                for info in ours.data_list
            ]
            for info in stripped:
                info['instances'] = [
                    {k: v for k, v in one.items() if k not in extra_keys}
                    for one in info['instances']
                ]
            assert stripped == mmdet.data_list
            assert ours.cat_ids == mmdet.cat_ids
            assert ours.get_cat_ids(0) == mmdet.get_cat_ids(0)


@pytest.mark.parametrize('level', LEVELS)
@pytest.mark.parametrize('classes', [('cat', 'dog', 'sky'), ('sky', 'dog', 'cat')])
def test_classes_are_matched_by_name(labelled_coco, write_coco, level, classes):
    dataset = build(write_coco(labelled_coco), level, classes)
    assert dataset.cat_ids == [
        {'cat': 17, 'dog': 5, 'sky': 40}[name] for name in classes
    ]
    info = dataset.get_data_info(0)
    assert [classes[label] for label in info['tags']] in (
        ['cat', 'dog'],
        ['dog', 'cat'],
    )
    names = [classes[one['bbox_label']] for one in info['instances']]
    assert names == ([] if level == 'image_tags' else ['cat', 'dog'])


def test_another_order_than_the_file_warns(labelled_coco, write_coco, monkeypatch):
    warnings = []
    monkeypatch.setattr(
        coco_file, 'print_log', lambda text, **kwargs: warnings.append(text)
    )
    path = write_coco(labelled_coco, images=False)
    build(path, 'masks', ('cat', 'dog'))
    assert warnings == []
    build(path, 'masks', ('dog', 'cat'))
    assert 'mmdet.CocoMetric number classes in the order of the file' in warnings[0]


@pytest.mark.parametrize('level', ['points', 'boxes', 'extreme_points'])
def test_files_without_segmentation_load(labelled_coco, write_coco, level):
    key = dict(points='point', boxes='bbox', extreme_points='extreme_points')[level]
    for annotation in labelled_coco['annotations']:
        for other in {'point', 'bbox', 'extreme_points', 'segmentation', 'area'}:
            if other != key:
                annotation.pop(other)
    dataset = build(write_coco(labelled_coco, images=False), level)
    assert [len(dataset.get_data_info(i)['instances']) for i in range(3)] == [2, 1, 0]


@pytest.mark.parametrize('level', ['boxes', 'extreme_points', 'masks'])
def test_mmdet_pipeline(labelled_coco, write_coco, tmp_path, mmdet_scope, level):
    with_mask = level == 'masks'
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask),
        dict(type='Resize', scale=(60, 45), keep_ratio=True),
        dict(type='RandomFlip', prob=1.0),
        dict(type='PackDetInputs'),
    ]
    dataset = build(
        write_coco(labelled_coco),
        level,
        data_prefix=dict(img=str(tmp_path)),
        pipeline=pipeline,
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
    )
    assert len(dataset) == 2
    sample = dataset[0]
    assert sample['inputs'].shape == (3, 45, 60)
    instances = sample['data_samples'].gt_instances
    assert len(instances) == 1 and len(sample['data_samples'].ignored_instances) == 1
    assert ('masks' in instances) is with_mask
    np.testing.assert_allclose(
        instances.bboxes.tensor, [[60 - 35.25, 10.125, 60 - 5.25, 35.375]]
    )
    if with_mask:
        assert instances.masks.masks.sum() > 100


@pytest.mark.parametrize('level', LEVELS)
def test_filters_use_classes_and_image_sizes_only(labelled_coco, write_coco, level):
    path = write_coco(labelled_coco, images=False)

    def ids(**filter_cfg):
        dataset = build(path, level, ('cat',), filter_cfg=filter_cfg)
        return [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]

    assert ids() == [70, 3, 11]
    assert ids(filter_empty_gt=True) == [70]
    assert ids(min_size=50) == [70, 3]
    dataset = build(path, level, filter_cfg=dict(min_size=9999), test_mode=True)
    assert len(dataset) == 3


def test_nothing_left_says_why(labelled_coco, write_coco):
    path = write_coco(labelled_coco, images=False)
    with pytest.raises(ValueError, match=r'instances.json: no image is left. It has 3'):
        build(path, 'boxes', ('sky',), filter_cfg=dict(filter_empty_gt=True))


def test_tags_of_stuff_count_as_content_at_image_tags(labelled_coco, write_coco):
    labelled_coco['images'][2]['tags'] = [40]
    path = write_coco(labelled_coco, images=False)
    dataset = build(
        path, 'image_tags', ('cat', 'sky'), filter_cfg=dict(filter_empty_gt=True)
    )
    assert [dataset.get_data_info(i)['tags'] for i in range(2)] == [[0], [1]]
    assert dataset.get_cat_ids(1) == [1]


def test_mixed_levels(labelled_coco, write_coco):
    labelled_coco['images'][0]['supervision'] = 'points'
    labelled_coco['images'][2]['supervision'] = 'image_tags'
    dataset = build(write_coco(labelled_coco, images=False), 'masks')
    infos = [dataset.get_data_info(i) for i in range(3)]
    assert [info['supervision'] for info in infos] == ['points', 'masks', 'image_tags']
    assert 'bbox' not in infos[0]['instances'][0]
    assert 'mask' in infos[1]['instances'][0]


def test_lvis_files_have_no_file_name(labelled_coco, write_coco):
    for image in labelled_coco['images']:
        name = image.pop('file_name')
        image['coco_url'] = f'http://images.cocodataset.org/train2017/{name}'
    dataset = build(write_coco(labelled_coco, images=False), 'boxes')
    assert dataset.get_data_info(0)['img_path'] == 'images/train2017/a.png'


def test_indices_and_subsets(labelled_coco, write_coco):
    path = write_coco(labelled_coco, images=False)
    assert len(build(path, 'boxes', indices=2)) == 2
    subset = build(path, 'boxes').get_subset([2, 0])
    assert [subset.get_data_info(i)['img_id'] for i in range(2)] == [11, 70]
    assert subset.supervision == 'boxes'


def test_supervision_must_be_given(labelled_coco, write_coco):
    path = write_coco(labelled_coco, images=False)
    with pytest.raises(ValueError, match="must be one of 'image_tags', 'points'"):
        build(path, 'scribbles')
    with pytest.raises(TypeError, match='supervision'):
        DATASETS.build(dict(type='mmwsis.CocoWeakDataset', ann_file=path))


@pytest.mark.parametrize('width, kept', [(1, True), (0.99, False)])
def test_boxes_below_one_pixel_are_left_out(labelled_coco, write_coco, width, kept):
    labelled_coco['annotations'][0]['bbox'] = [10, 20, width, 50]
    dataset = build(write_coco(labelled_coco), 'boxes')
    ids = [one['ann_id'] for one in dataset.get_data_info(0)['instances']]
    assert (901 in ids) == kept


@pytest.mark.parametrize('width', [0.99, 0])
def test_boxes_below_one_pixel_stay_on_demand(labelled_coco, write_coco, width):
    labelled_coco['annotations'][0]['bbox'] = [10, 20, width, 50]
    path = write_coco(labelled_coco)
    instances = build(path, 'boxes', min_box_side=0).get_data_info(0)['instances']
    assert [10, 20, 10 + width, 70] in [one['bbox'] for one in instances]


def test_crop_tags_that_do_not_fit_name_the_image(labelled_coco, write_coco):
    labelled_coco['images'][0]['crop_tags'] = dict(size=[91, 100], tags=[[], []])
    path = write_coco(labelled_coco)
    with pytest.raises(ValueError) as caught:
        build(path, 'boxes')
    assert str(caught.value) == (
        f'{path}: image id 70: crop_tags: crop_size: expected at most the size of the '
        'image, (90, 120), got (91, 100). Write them again with '
        'tools/dataset_converters/coco2weak.py --crop-tags.'
    )
