"""Box label maps, and the full labels of those images alone that have them."""

import json
import pickle

import numpy as np
import pytest

from mmwsis.datasets.transforms import (
    LoadBoxLabelMap,
    LoadFullLabels,
    LoadWeakAnnotations,
    PackWeakInputs,
)
from mmwsis.formats.segment_maps import encode_segment_map
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision

CLASSES = ('cat', 'dog', 'background')
SIZE = (3, 4)


def results(**changes):
    data = dict(
        img_id=7,
        height=SIZE[0],
        width=SIZE[1],
        img=np.zeros((*SIZE, 3), np.uint8),
        tags=[0, 2],
        num_classes=3,
        classes=CLASSES,
        supervision='masks',
    )
    return {**data, **changes}


@pytest.fixture
def box_maps(tmp_path):
    """Of a writer that names the classes in another order."""

    def write(names=('background', 'dog', 'cat')):
        values = np.zeros(SIZE, np.uint8)
        values[0] = (0, 1, 2, 255)
        (tmp_path / 'a.png').write_bytes(encode_semantic_map(values, names))
        images = [dict(id=7, file='a.png')]
        index = dict(type='semantic_maps', classes=list(names), images=images)
        (tmp_path / 'index.json').write_text(json.dumps(index))
        return str(tmp_path)

    return write


@pytest.mark.parametrize('classes', [CLASSES, ('cat', 'dog', 'sky'), ('cat', 'dog')])
def test_box_maps_are_in_the_labels_of_the_dataset(box_maps, classes):
    load = pickle.loads(pickle.dumps(LoadBoxLabelMap(box_maps())))
    loaded = load(results(classes=classes))
    assert loaded['gt_box_map'].dtype == np.int16
    assert loaded['gt_box_map'][:2].tolist() == [[-1, 1, 0, 255], [-1] * 4]
    assert 'gt_seg_map' not in loaded
    packed = PackWeakInputs()(loaded)['data_samples']
    assert packed.gt_box_map.box_map.shape == (1, *SIZE)


@pytest.mark.parametrize(
    ('names', 'changes', 'message'),
    [
        (('dog', 'cat', 'owl'), {}, "holds maps of .*; expected 'background' and"),
        (('background', 'dog', 'bird'), {}, "expected 'background' and things among"),
        (
            ('background', 'dog', 'cat'),
            dict(height=9),
            r'a.png: the map of image id 7 is \(3, 4\), expected \(9, 4\)',
        ),
    ],
)
def test_other_box_maps_are_refused(box_maps, names, changes, message):
    with pytest.raises(ValueError, match=message):
        LoadBoxLabelMap(box_maps(names))(results(**changes))


@pytest.fixture
def full_labels(tmp_path):
    """Panoptic labels of two images: two cats, a crowd of dogs, background, void."""
    ids = np.array([[5, 5, 6, 7], [8, 8, 0, 7], [8, 8, 8, 8]])
    segments = [
        dict(id=5, category_id=3),
        dict(id=6, category_id=3),
        dict(id=7, category_id=4, iscrowd=1),
        dict(id=8, category_id=9),
    ]
    (tmp_path / 'panoptic').mkdir()
    for name in 'ab':
        (tmp_path / f'panoptic/{name}.png').write_bytes(encode_segment_map(ids))
    images = [
        dict(id=number, file_name=f'{name}.jpg', height=SIZE[0], width=SIZE[1])
        for number, name in ((7, 'a'), (8, 'b'))
    ]
    categories = [
        dict(id=3, name='cat', isthing=1),
        dict(id=4, name='dog', isthing=1),
        dict(id=9, name='background', isthing=0),
    ]
    annotations = [
        dict(image_id=image['id'], file_name=f'{name}.png', segments_info=segments)
        for image, name in zip(images, 'ab')
    ]
    file = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / 'panoptic.json').write_text(json.dumps(file))
    weak = dict(
        images=[
            dict(images[0], supervision='masks', tags=[3, 4, 9]),
            dict(images[1], supervision='boxes', tags=[3, 4, 9]),
        ],
        annotations=[
            dict(id=i, image_id=7 + i, category_id=3, iscrowd=0, bbox=[0, 0, 2, 1])
            | dict(area=2, segmentation=[[0, 0, 2, 0, 2, 1, 0, 1]], point=[1, 0])
            | dict(extreme_points=[[0, 0], [0, 1], [2, 1], [2, 0]])
            for i in range(2)
        ],
        categories=categories,
    )
    (tmp_path / 'mixed.json').write_text(json.dumps(weak))
    return tmp_path


def test_full_labels_are_codes(full_labels):
    load = LoadFullLabels(str(full_labels / 'panoptic.json'))
    loaded = load(results())['gt_panoptic_map']
    assert loaded.tolist() == [[1000, 1000, 2000, 1], [2, 2, 3, 1], [2, 2, 2, 2]]
    packed = PackWeakInputs()(results(gt_panoptic_map=loaded))['data_samples']
    assert packed.gt_panoptic_seg.sem_seg[0].tolist() == loaded.tolist()


@pytest.mark.parametrize('declared', Supervision)
def test_full_labels_of_weaker_images_are_never_read(full_labels, declared):
    """The leak guard: what the other images have is not there, nor looked for."""
    (full_labels / 'panoptic/b.png').unlink()
    dataset = DATASETS.build(
        dict(
            type='mmwsis.CocoWeakDataset',
            supervision=declared.label,
            ann_file=str(full_labels / 'mixed.json'),
            data_prefix=dict(img=''),
            metainfo=dict(classes=CLASSES, stuff_classes=CLASSES[2:]),
            test_mode=True,
            pipeline=[],
        )
    )
    load = LoadFullLabels(str(full_labels / 'panoptic.json'))
    found = [load(dataset.get_data_info(index)) for index in range(2)]
    is_full = declared is Supervision.MASKS
    assert ['gt_panoptic_map' in one for one in found] == [is_full, False]
    if not is_full:
        assert load._file is None, 'the file is not even opened'


def test_an_image_without_full_labels_is_named(full_labels):
    load = LoadFullLabels(str(full_labels / 'panoptic.json'))
    with pytest.raises(ValueError, match='panoptic.json has no annotation of image id'):
        load(results(img_id=9))
    with pytest.raises(ValueError, match=r'image id 7 is \(3, 4\), expected \(9, 4\)'):
        load(results(height=9))
    assert 'seg_prefix=None' in repr(load)
    with pytest.raises(
        ValueError, match=r'image id 7 is fully labelled .* no ann_file'
    ):
        LoadFullLabels()(results())


def test_boxes_and_full_labels_of_one_sample(full_labels):
    """The pipeline of the merge, on both kinds of images."""
    steps = [
        LoadWeakAnnotations(with_point=False, with_bbox=True),
        LoadFullLabels(str(full_labels / 'panoptic.json')),
        PackWeakInputs(),
    ]
    box = dict(bbox=[0, 0, 2, 1], bbox_label=0, ignore_flag=0, ann_id=4)
    for level, fields in (('masks', {'sem_seg'}), ('boxes', set())):
        data = results(supervision=level, instances=[box])
        for step in steps:
            data = step(data)
        sample = data['data_samples']
        assert set(sample.get('gt_panoptic_seg', {}).keys()) == fields
        assert sample.gt_instances.labels.tolist() == [0]
