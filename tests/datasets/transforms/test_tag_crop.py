"""Crops with tags of their own."""

from collections import Counter

import numpy as np
import pytest

from mmwsis.datasets.transforms import CropTags, PackWeakInputs, TagCrop
from mmwsis.ops import crop_grid

SIZE, WINDOW = (5, 8), (5, 6)  # two crops, of columns 0 to 5 and 2 to 7


def sample(**changes):
    image = np.arange(40, dtype=np.uint8).reshape(*SIZE, 1).repeat(3, axis=2)
    data = dict(
        img_id=7,
        img=image,
        height=5,
        width=8,
        ori_shape=SIZE,
        img_shape=SIZE,
        tags=[0, 1, 2],
        crop_tags=dict(size=WINDOW, tags=[[0], [1, 2]]),
        num_classes=3,
    )
    return {**data, **changes}


def test_every_crop_comes_with_its_own_tags():
    np.random.seed(0)
    seen = Counter()
    for _ in range(40):
        found = TagCrop()(sample())
        left = int(found['img'][0, 0, 0])
        assert found['img'].shape == (*WINDOW, 3) and found['img_shape'] == WINDOW
        assert found['tags'] == {0: [0], 2: [1, 2]}[left]
        assert 'crop_tags' not in found
        seen[left] += 1
    assert min(seen[0], seen[2]) > 10


def test_other_fields_are_cut_too():
    np.random.seed(0)
    boxes = np.array([[0, 0, 2, 5], [6, 0, 8, 5]], np.float32)
    found = TagCrop()(
        sample(
            gt_seg_map=sample()['img'][..., 0],
            gt_bboxes=boxes,
            gt_bboxes_labels=np.array([0, 1]),
        )
    )
    np.testing.assert_array_equal(found['gt_seg_map'], found['img'][..., 0])
    assert found['gt_bboxes_labels'].tolist() == ([0] if found['tags'] == [0] else [1])


def test_packed_tags_are_the_crop_s():
    packed = PackWeakInputs()(TagCrop()(sample()))['data_samples']
    assert packed.gt_tags.tolist() in ([1, 0, 0], [0, 1, 1])
    assert packed.tags == packed.gt_tags.nonzero()[:, 0].tolist()
    assert 'crop_tags' not in packed
    packed = PackWeakInputs()(sample())['data_samples']
    assert packed.crop_tags == dict(size=WINDOW, tags=[[0], [1, 2]])


def test_tags_of_the_image_for_every_crop():
    found = CropTags(image_level=True, crop_size=(3, 4))(sample(crop_tags=None))
    assert found['crop_tags']['size'] == (3, 4)
    assert found['crop_tags']['tags'] == [[0, 1, 2]] * len(crop_grid(SIZE, (3, 4)))
    assert TagCrop()(found)['tags'] == [0, 1, 2]
    found = CropTags(image_level=True)(sample())
    assert found['crop_tags'] == dict(size=WINDOW, tags=[[0, 1, 2], [0, 1, 2]])
    assert CropTags()(sample())['crop_tags'] == sample()['crop_tags']


def test_what_does_not_fit_is_refused():
    lacking = r'image id 7 has no crop_tags\. Write them with coco2weak\.py --crop-tags'
    for transform in (TagCrop(), CropTags(), CropTags(image_level=True)):
        with pytest.raises(ValueError, match=lacking):
            transform(sample(crop_tags=None))
    with pytest.raises(ValueError, match=r'7: TagCrop must come before what resizes'):
        TagCrop()(sample(height=10))
    with pytest.raises(
        ValueError,
        match=r'image id 7: crop_size: expected at most the size of the image, \(5, 8\)'
        r', got \(6, 6\)',
    ):
        CropTags(image_level=True, crop_size=6)(sample())
    with pytest.raises(ValueError, match='crop_size must be a side in pixels'):
        CropTags(image_level=True, crop_size=(3, 0))
