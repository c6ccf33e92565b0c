"""Nothing stronger than the declared supervision is reachable from a dataset."""

import pickle
import types

import numpy as np
import pytest
import torch

from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision

# Numbers that occur nowhere else; exact in binary, so that arithmetic keeps them.
X, Y, W, H = 10.0625, 12.1875, 70.3125, 60.4375
POINT = [33.0078125, 34.015625]
EXTREME_POINTS = [
    [31.0234375, 13.0390625],
    [11.0546875, 35.0703125],
    [41.0859375, 71.1015625],
    [79.1171875, 38.1328125],
]
POLYGON = [31.1640625, 12.1796875, 80.3671875, 40.2421875, 11.2578125, 72.6171875]
AREA = 2777.5625
EXTRA = [9123.5, 9124.5]
ANNOTATION_ID = 918273645

EXTREME_VALUES = {value for point in EXTREME_POINTS for value in point}
(_, TOP), (LEFT, _), (_, BOTTOM), (RIGHT, _) = EXTREME_POINTS
POINT_BOX = {RIGHT - LEFT, BOTTOM - TOP, (RIGHT - LEFT) * (BOTTOM - TOP)}
# What only a level from the key on may show.
SECRETS = {
    Supervision.POINTS: {*POINT, float(ANNOTATION_ID)},
    Supervision.BOXES: {X, Y, W, H, X + W, Y + H, W * H},
    Supervision.EXTREME_POINTS: EXTREME_VALUES | POINT_BOX,
    Supervision.MASKS: {*POLYGON, AREA, *EXTRA},
}


@pytest.fixture
def coco():
    annotation = dict(
        id=ANNOTATION_ID,
        image_id=1,
        category_id=7,
        iscrowd=0,
        bbox=[X, Y, W, H],
        area=AREA,
        segmentation=[POLYGON],
        point=POINT,
        extreme_points=EXTREME_POINTS,
        score=EXTRA[0],
        attributes=dict(mask_statistics=EXTRA),
    )
    return dict(
        info=dict(description='x', largest_mask=EXTRA),
        images=[
            dict(id=1, file_name='a.png', width=120, height=90, mask_area=EXTRA[1]),
            dict(id=2, file_name='b.png', width=50, height=50),
        ],
        annotations=[annotation],
        categories=[dict(id=7, name='cat', mean_mask=EXTRA)],
        semantic=dict(rle=EXTRA),
    )


def reachable_numbers(root):
    """All numbers reachable from an object: attributes, containers, arrays."""
    numbers, seen, stack = set(), set(), [root]
    while stack:
        value = stack.pop()
        if isinstance(value, (int, float)):
            numbers.add(float(value))
            continue
        if id(value) in seen or isinstance(
            value, (str, type, types.ModuleType, types.FunctionType)
        ):
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            value = value.numpy()
        if isinstance(value, np.ndarray):
            numbers.update(value.astype(float).ravel().tolist())
        elif isinstance(value, (bytes, bytearray)):
            continue
        elif isinstance(value, dict):
            stack.extend((*value.keys(), *value.values()))
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack.extend(value)
        else:
            stack.append(getattr(value, '__dict__', {}))
            slots = getattr(type(value), '__slots__', ())
            stack.extend(getattr(value, slot, None) for slot in slots)
        # Serialised samples are a flat byte array with their end addresses.
        if hasattr(value, 'data_bytes') and hasattr(value, 'data_address'):
            ends = value.data_address.tolist()
            for start, end in zip([0, *ends], ends):
                stack.append(pickle.loads(memoryview(value.data_bytes[start:end])))
    return numbers


def visible(dataset):
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    piped = [dataset[index] for index in range(len(dataset))]
    return reachable_numbers([dataset, samples, piped, dataset.metainfo])


def build(kind, ann_file, level, **kwargs):
    return DATASETS.build(
        dict(
            type=f'mmwsis.{kind}',
            ann_file=ann_file,
            data_prefix=dict(img=''),
            metainfo=dict(classes=('cat',)),
            supervision=level.label,
            pipeline=[],
            **kwargs,
        )
    )


def assert_no_leak(numbers, level):
    for needed, secrets in SECRETS.items():
        if needed > level:
            assert not numbers & secrets, f'{level.label} sees {needed.label}'


@pytest.mark.parametrize('serialize', [True, False])
@pytest.mark.parametrize('filtered', [True, False])
@pytest.mark.parametrize('level', Supervision)
def test_coco_weak_dataset(coco, write_coco, level, serialize, filtered):
    filter_cfg = dict(filter_empty_gt=True, min_size=8) if filtered else None
    dataset = build(
        'CocoWeakDataset',
        write_coco(coco),
        level,
        serialize_data=serialize,
        filter_cfg=filter_cfg,
    )
    numbers = visible(dataset)
    assert_no_leak(numbers, level)
    assert not hasattr(dataset, 'coco')
    # The walk itself works: what the level may see is found.
    if level is Supervision.EXTREME_POINTS:
        assert numbers >= EXTREME_VALUES
        assert not numbers & SECRETS[Supervision.BOXES], "the file's box leaks"
    elif level > Supervision.IMAGE_TAGS:
        assert numbers & SECRETS[level]
    assert len(dataset) == (1 if filtered else 2)


@pytest.mark.parametrize('level', [level for level in Supervision if level >= 2])
def test_object_crop_dataset(coco, write_coco, level):
    dataset = build('ObjectCropDataset', write_coco(coco), level)
    numbers = visible(dataset)
    assert_no_leak(numbers, level)
    assert len(dataset) == 1
    if level is Supervision.EXTREME_POINTS:
        assert numbers >= EXTREME_VALUES
        assert not numbers & SECRETS[Supervision.BOXES], "the file's box leaks"


@pytest.mark.parametrize('declared', Supervision)
@pytest.mark.parametrize('own', Supervision)
def test_level_of_one_image_in_a_mix(coco, write_coco, declared, own):
    coco['images'][0]['supervision'] = own.label
    dataset = build('CocoWeakDataset', write_coco(coco), declared)
    assert_no_leak(visible(dataset), min(declared, own))
    assert dataset.get_data_info(0)['supervision'] == min(declared, own).label


def test_image_tags_do_not_tell_the_number_of_objects(coco, write_coco):
    def bytes_of(copies):
        first = coco['annotations'][0]
        annotations = [dict(first, id=i) for i in range(copies)]
        path = write_coco(dict(coco, annotations=annotations))
        dataset = build('CocoWeakDataset', path, Supervision.IMAGE_TAGS)
        return pickle.dumps(dataset.__dict__ | dict(pipeline=None))

    assert bytes_of(1) == bytes_of(5)


def test_unlabelled_images_see_nothing(coco, write_coco):
    dataset = DATASETS.build(
        dict(type='mmwsis.UnlabelledImageDataset', ann_file=write_coco(coco))
    )
    numbers = visible(dataset)
    assert not numbers & set().union(*SECRETS.values())
    assert set(dataset.get_data_info(0)) == {
        'img_id',
        'img_path',
        'height',
        'width',
        'sample_idx',
    }


@pytest.mark.parametrize('stronger', ['bbox', 'extreme_points', 'segmentation'])
def test_a_score_passes_with_its_point_and_not_with_that_of_a_mask(
    coco, write_coco, stronger
):
    coco['annotations'][0]['score'] = 0.4296875
    points = build('CocoWeakDataset', write_coco(coco), Supervision.POINTS)
    assert 0.4296875 not in visible(points)
    label = coco['annotations'][0][stronger]
    for key in ('bbox', 'extreme_points', 'segmentation', 'area'):
        del coco['annotations'][0][key]
    points = build('CocoWeakDataset', write_coco(coco), Supervision.POINTS)
    (instance,) = points.get_data_info(0)['instances']
    assert instance['score'] == 0.4296875
    coco['annotations'][0][stronger] = label
    points = build('CocoWeakDataset', write_coco(coco), Supervision.POINTS)
    assert 0.4296875 not in visible(points)


def test_values_are_unique():
    """A secret of one level must not happen to equal one of a weaker level."""
    groups = [set(values) for values in SECRETS.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
