import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from PIL import Image

from mmwsis.registry import DATASETS
from mmwsis.structures import ObjectCropSample

INFO_KEYS = {
    'img_id',
    'img_path',
    'height',
    'width',
    'ann_id',
    'category_id',
    'label',
    'bbox',
    'area',
    'extreme_points',
    'iscrowd',
    'sample_idx',
}
TRAIN = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=32),
    dict(type='mmwsis.ObjectCropFlip'),
    dict(type='mmwsis.TeacherStudentViews'),
    dict(type='mmwsis.PackObjectCrop'),
]
TEST = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=32, train=False),
    dict(type='mmwsis.PackObjectCrop'),
]


def config(ann_file, supervision='boxes', **kwargs):
    kwargs.setdefault('data_prefix', dict(img=ann_file.rsplit('/', 1)[0]))
    return dict(
        type='mmwsis.ObjectCropDataset',
        ann_file=ann_file,
        supervision=supervision,
        **kwargs,
    )


def build(ann_file, supervision='boxes', **kwargs):
    return DATASETS.build(config(ann_file, supervision, **kwargs))


def ann_ids(dataset):
    return [dataset.get_data_info(i)['ann_id'] for i in range(len(dataset))]


def box_annotation(ann_id, image_id, bbox, **kwargs):
    return dict(id=ann_id, image_id=image_id, category_id=5, bbox=bbox, **kwargs)


@pytest.mark.parametrize('level', ['boxes', 'extreme_points', 'masks'])
@pytest.mark.parametrize('serialize', [True, False])
def test_data_of_a_sample(labelled_coco, write_coco, level, serialize):
    labelled_coco['annotations'][0]['extreme_points'][0][1] = 21.0
    dataset = build(
        write_coco(labelled_coco),
        level,
        data_prefix=dict(img='images/'),
        serialize_data=serialize,
    )
    info = dataset.get_data_info(0)
    assert set(info) == INFO_KEYS | ({'gt_mask'} if level == 'masks' else set())
    assert (info['img_id'], info['ann_id'], info['category_id']) == (70, 901, 17)
    assert (info['label'], info['iscrowd']) == (0, 0)
    assert info['img_path'] == 'images/a.png'
    top = 21.0 if level == 'extreme_points' else 20.25
    np.testing.assert_array_equal(info['bbox'], np.float32([10.5, top, 70.5, 70.75]))
    assert info['bbox'].dtype == np.float32
    assert info['area'] == 60 * (70.75 - top)
    if level == 'boxes':
        assert info['extreme_points'] is None
    else:
        assert info['extreme_points'].dtype == np.float64
        np.testing.assert_array_equal(info['extreme_points'][0], [40.5, 21.0])
    if level == 'masks':
        assert info['gt_mask'] == labelled_coco['annotations'][0]['segmentation']


@pytest.mark.parametrize('level', ['image_tags', 'points'])
def test_levels_without_boxes_are_refused(level):
    with pytest.raises(ValueError, match=f"at least 'boxes', got '{level}'"):
        build('x/none.json', level)


@pytest.mark.parametrize(
    'bbox, kept',
    [
        ([0, 0, 32, 64], False),  # area 2048 exactly
        ([0, 0, 32.01, 64], True),
        ([0, 0, 2, 1500], False),  # a side of 2 exactly
        ([0.1, 0, 2, 1500], False),  # ... that x + w - x would round up
        ([0, 0, 2.01, 1500], True),
        ([0, 0, 1500, 2.01], True),
    ],
)
def test_training_filter(write_coco, bbox, kept):
    coco = dict(
        images=[dict(id=1, file_name='a.png', width=2000, height=2000)],
        annotations=[
            box_annotation(1, 1, bbox),
            box_annotation(2, 1, [0, 0, 100, 100]),
            box_annotation(3, 1, [0, 0, 100, 100], iscrowd=1),
        ],
        categories=[dict(id=5, name='dog')],
    )
    path = write_coco(coco, images=False)
    assert ann_ids(build(path)) == ([1, 2] if kept else [2])
    assert ann_ids(build(path, filter_cfg=None)) == [1, 2, 3]
    assert ann_ids(build(path, test_mode=True)) == [1, 2, 3]
    assert build(path, test_mode=True).get_data_info(2)['iscrowd'] == 1
    loose = dict(min_area=0, max_area=9999.5, min_size=0)
    assert ann_ids(build(path, filter_cfg=loose)) == [1]


def test_annotations_of_an_image_follow_each_other(labelled_coco, write_coco):
    dataset = build(write_coco(labelled_coco), test_mode=True)
    assert ann_ids(dataset) == [901, 500, 12]


def test_classes_default_to_the_file_and_select(labelled_coco, write_coco):
    path = write_coco(labelled_coco)
    dataset = build(path)
    assert dataset.metainfo['classes'] == ('cat', 'dog', 'sky')
    assert dataset.get_cat_ids(1) == [1]
    dogs = build(path, metainfo=dict(classes=('dog',)))
    assert ann_ids(dogs) == [12]
    assert (dogs.get_data_info(0)['label'], dogs.get_cat_ids(0)) == (0, [0])
    with pytest.raises(ValueError, match="names 'nut'.*'cat', 'dog', 'sky'"):
        build(path, metainfo=dict(classes=('nut',)))


def test_nothing_to_train_on_says_why(labelled_coco, write_coco):
    path = write_coco(labelled_coco)
    with pytest.raises(ValueError, match='no annotation is left.* It has 3 of'):
        build(path, filter_cfg=dict(min_area=1e5))
    with pytest.raises(ValueError, match='no annotation of the classes .*3 images'):
        build(path, metainfo=dict(classes=('sky',)), test_mode=True)
    with pytest.raises(ValueError, match=r"filter_cfg knows .*got \['min_side'\]"):
        build(path, filter_cfg=dict(min_side=3))


def test_images_weaker_than_boxes_are_left_out(labelled_coco, write_coco):
    labelled_coco['images'][0]['supervision'] = 'points'
    assert ann_ids(build(write_coco(labelled_coco))) == [12]


def test_training_sample(labelled_coco, write_coco):
    dataset = build(write_coco(labelled_coco), 'extreme_points', pipeline=TRAIN)
    np.random.seed(0)
    sample = dataset[0]
    assert set(sample['inputs']) == {'student', 'teacher'}
    for view in sample['inputs'].values():
        assert view.shape == (3, 32, 32) and view.dtype == torch.uint8
    packed = sample['data_samples']
    assert isinstance(packed, ObjectCropSample)
    assert set(packed.metainfo) == {
        *('img_id', 'img_path', 'ann_id', 'category_id', 'label', 'height', 'width'),
        *('bbox', 'area', 'crop_box', 'flip', 'crop_size', 'iscrowd'),
    }
    assert packed.bbox == (10.5, 20.25, 70.5, 70.75)
    assert packed.box_mask.shape == (32, 32) and packed.box_mask.dtype == torch.uint8
    assert packed.extreme_points.dtype == torch.float64
    np.testing.assert_array_equal(
        packed.extreme_points, dataset.get_data_info(0)['extreme_points']
    )


def test_test_sample(labelled_coco, write_coco):
    path = write_coco(labelled_coco)
    sample = build(path, 'masks', pipeline=TEST, test_mode=True)[1]
    assert set(sample['inputs']) == {'image'}
    assert sample['data_samples'].crop_box == (75, 5, 115, 31)
    assert (
        sample['data_samples'].gt_mask
        == (labelled_coco['annotations'][2]['segmentation'])
    )
    assert not sample['data_samples'].flip
    boxes = build(path, 'boxes', pipeline=TEST, test_mode=True)[1]
    assert 'extreme_points' not in boxes['data_samples']
    assert 'gt_mask' not in boxes['data_samples']


@pytest.mark.parametrize(
    'bbox',
    [
        [5, 5, 0, 0],
        [5, 5, 0.2, 0.1],
        [49.5, 39.5, 0.5, 0.5],
        [0, 0, 50, 40],
        [-40, -30, 120, 100],
        [0, 39, 150, 0.5],
    ],
)
def test_export_crops_every_box(write_coco, bbox):
    """Objects thinner than a pixel and crops larger than the image do not crash."""
    coco = dict(
        images=[dict(id=1, file_name='a.png', width=50, height=40)],
        annotations=[box_annotation(1, 1, bbox)],
        categories=[dict(id=5, name='dog')],
    )
    dataset = build(write_coco(coco), test_mode=True, pipeline=TEST)
    sample = dataset[0]
    assert sample['inputs']['image'].shape == (3, 32, 32)
    assert sample['data_samples'].box_mask.any()


def test_samples_repeat_for_a_seed(labelled_coco, write_coco):
    dataset = build(write_coco(labelled_coco), pipeline=TRAIN)

    def draw(seed):
        np.random.seed(seed)
        samples = [dataset[i % len(dataset)] for i in range(6)]
        return torch.cat([s['inputs']['student'].flatten() for s in samples])

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_loads_through_the_runner(labelled_coco, write_coco, num_workers):
    path = write_coco(labelled_coco)
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=num_workers,
            dataset=config(path, pipeline=TEST, test_mode=True),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        seed=0,
    )
    batches = list(loader)
    assert [len(batch['data_samples']) for batch in batches] == [2, 1]
    assert len(batches[0]['inputs']['image']) == 2
    collated = pseudo_collate([loader.dataset[0], loader.dataset[1]])
    torch.testing.assert_close(batches[0]['inputs'], collated['inputs'])


def test_an_image_is_decoded_once_for_its_objects(
    labelled_coco, write_coco, monkeypatch
):
    opened = []
    original = Image.open
    monkeypatch.setattr(
        Image, 'open', lambda *a, **k: opened.append(a) or original(*a, **k)
    )
    first = labelled_coco['annotations'][0]
    labelled_coco['annotations'] += [dict(first, id=1000 + i) for i in range(20)]
    dataset = build(write_coco(labelled_coco), test_mode=True, pipeline=TEST)
    assert len([dataset[i] for i in range(len(dataset))]) == 23
    assert len(opened) == 2
