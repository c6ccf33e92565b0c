import numpy as np
import pytest
import torch
from PIL import Image

from mmwsis.registry import DATASETS

PIPELINE = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.RandomResizedCropView', crop_size=16),
    dict(type='mmwsis.ObjectCropFlip'),
    dict(type='mmwsis.PackObjectCrop'),
]


def build(**kwargs):
    return DATASETS.build(dict(type='mmwsis.UnlabelledImageDataset', **kwargs))


def test_from_a_coco_file(labelled_coco, write_coco, tmp_path):
    dataset = build(
        ann_file=write_coco(labelled_coco),
        data_prefix=dict(img=str(tmp_path)),
        pipeline=PIPELINE,
    )
    assert len(dataset) == 3
    sample = dataset[1]
    assert sample['inputs']['image'].shape == (3, 16, 16)
    assert sample['inputs']['image'].dtype == torch.uint8
    assert sample['data_samples'].img_id == 3
    assert 'box_mask' not in sample['data_samples']


def test_a_file_without_annotations_is_enough(labelled_coco, write_coco):
    del labelled_coco['annotations']
    assert len(build(ann_file=write_coco(labelled_coco, images=False))) == 3


def test_from_a_folder(tmp_path):
    (tmp_path / 'sub').mkdir()
    for name in ('b.JPG', 'a.png', 'sub/c.jpeg'):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('x')
    dataset = build(data_root=str(tmp_path), data_prefix=dict(img=''))
    ids = [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))]
    assert ids == ['a.png', 'b.JPG', 'sub/c.jpeg']
    dataset = build(data_prefix=dict(img=str(tmp_path)), pipeline=PIPELINE)
    assert dataset[2]['data_samples'].height == 20


def test_views_of_object_crops_pack_alike(labelled_coco, write_coco, tmp_path):
    """MAE may also be trained on object crops: the same packing, one view."""
    dataset = DATASETS.build(
        dict(
            type='mmwsis.ObjectCropDataset',
            ann_file=write_coco(labelled_coco),
            data_prefix=dict(img=str(tmp_path)),
            supervision='boxes',
            pipeline=[
                dict(type='mmwsis.LoadCachedImage'),
                dict(type='mmwsis.ObjectCrop', crop_size=16),
                dict(type='mmwsis.ObjectCropFlip'),
                dict(type='mmwsis.PackObjectCrop'),
            ],
        )
    )
    assert set(dataset[0]['inputs']) == {'image'}


def test_errors_name_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.* does not exist'):
        build(data_prefix=dict(img=str(tmp_path / 'nowhere')))
    with pytest.raises(ValueError, match=f'{tmp_path}: there is no image'):
        build(data_prefix=dict(img=str(tmp_path)))
    with pytest.raises(FileNotFoundError, match='none.json does not exist'):
        build(ann_file='none.json')
