import numpy as np
import pytest
from PIL import Image

from mmwsis.datasets.transforms import LoadPanopticAnnotations


def results(tmp_path, ids, segments, size=None):
    pixels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1)
    path = tmp_path / 'map.png'
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    instances = [
        dict(bbox=[0, 0, 2, 2], bbox_label=segment['category'], ignore_flag=0)
        for segment in segments
        if segment['is_thing']
    ]
    return dict(
        img_id=7,
        seg_map_path=str(path),
        segments_info=segments,
        instances=instances,
        ori_shape=size or ids.shape,
        height=ids.shape[0],
        width=ids.shape[1],
    )


def naive(ids, segments):
    labels = np.full(ids.shape, 255)
    for segment in segments:
        labels[ids == segment['id']] = segment['category']
    things = [ids == segment['id'] for segment in segments if segment['is_thing']]
    return labels, things


def test_labels_and_masks_are_those_of_the_segments(tmp_path):
    rng = np.random.default_rng(0)
    numbers = np.array([0, 3, 70_000, 16_777_215, 300, 256])
    ids = numbers[rng.integers(0, 6, (12, 17))]
    segments = [
        dict(id=70_000, category=1, is_thing=True),
        dict(id=16_777_215, category=8, is_thing=False),
        dict(id=3, category=0, is_thing=True),
        dict(id=300, category=0, is_thing=False),  # a crowd
    ]
    loaded = LoadPanopticAnnotations()(results(tmp_path, ids, segments))
    labels, things = naive(ids, segments)
    np.testing.assert_array_equal(loaded['gt_seg_map'], labels)
    np.testing.assert_array_equal(loaded['gt_masks'].masks, things)
    assert loaded['gt_bboxes_labels'].tolist() == [1, 0]


def test_an_image_without_segments(tmp_path):
    ids = np.zeros((4, 5), dtype=int)
    loaded = LoadPanopticAnnotations()(results(tmp_path, ids, []))
    assert loaded['gt_masks'].masks.shape == (0, 4, 5)
    assert (loaded['gt_seg_map'] == 255).all()
    without = results(tmp_path, ids, [])
    without['seg_map_path'] = None
    assert 'gt_seg_map' not in LoadPanopticAnnotations()(without)


def test_a_map_of_another_size_is_named(tmp_path):
    ids = np.zeros((4, 5), dtype=int)
    with pytest.raises(ValueError, match=r'map.png is 5x4 pixels.*image id 7 is 6x4'):
        LoadPanopticAnnotations()(results(tmp_path, ids, [], size=(4, 6)))
    broken = results(tmp_path, ids, [])
    (tmp_path / 'map.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='map.png is no readable image'):
        LoadPanopticAnnotations()(broken)
