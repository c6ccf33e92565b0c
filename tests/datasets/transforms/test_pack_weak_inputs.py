import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmwsis.datasets import CocoWeakDataset
from mmwsis.datasets.transforms import PackWeakInputs

CATEGORIES = [
    dict(id=40, name='sky', isthing=0),
    dict(id=17, name='cat'),
    dict(id=5, name='dog'),
]


@pytest.mark.parametrize('supervision', ['image_tags', 'masks'])
def test_tags_of_things_and_stuff_are_packed_at_every_level(tmp_path, supervision):
    images = [
        dict(id=7, file_name='a.png', width=32, height=24, tags=[5, 40]),
        dict(id=8, file_name='b.png', width=32, height=24, tags=[]),
    ]
    coco = dict(images=images, categories=CATEGORIES, annotations=[])
    (tmp_path / 'tags.json').write_text(json.dumps(coco))
    for image in images:
        pixels = np.zeros((24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / image['file_name'])
    dataset = CocoWeakDataset(
        ann_file=str(tmp_path / 'tags.json'),
        data_prefix=dict(img=str(tmp_path)),
        metainfo=dict(classes=('cat', 'dog', 'sky')),
        supervision=supervision,
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage'),
            dict(type='mmdet.RandomFlip', prob=1.0),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
    sample = dataset[0]['data_samples']
    assert sample.gt_tags.tolist() == [0, 1, 1]
    assert sample.tags == [1, 2] and sample.supervision == supervision
    assert sample.img_id == 7 and sample.ori_shape == (24, 32) and sample.flip
    assert dataset[0]['inputs'].shape == (3, 24, 32)
    assert dataset[1]['data_samples'].gt_tags.tolist() == [0, 0, 0]


def test_other_data_sets_are_refused():
    with pytest.raises(KeyError, match='needs num_classes .*CocoWeakDataset'):
        PackWeakInputs()(dict(img=np.zeros((4, 4, 3), np.uint8), tags=[0]))


def test_other_images_are_packed_without_tags():
    image = dict(img=np.zeros((4, 4, 3), np.uint8), mask_proposals='proposals')
    sample = PackWeakInputs(with_tags=False)(image)['data_samples']
    assert 'gt_tags' not in sample
    assert sample.mask_proposals == 'proposals'


@pytest.mark.filterwarnings('error:The given NumPy array is not writable')
def test_a_cached_image_is_packed_without_a_warning():
    image = np.full((4, 6, 3), 9, np.uint8)
    image.flags.writeable = False
    torch.set_warn_always(True)  # else once per process
    try:
        packed = PackWeakInputs()(dict(img=image, tags=[0], num_classes=2))
    finally:
        torch.set_warn_always(False)
    packed['inputs'].fill_(0)
    assert (image == 9).all()
