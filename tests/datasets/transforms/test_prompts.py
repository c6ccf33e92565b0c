"""Prompts of objects: what each level gives, and what is refused."""

import copy

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmwsis.datasets.transforms import PackPrompts

HEIGHT, WIDTH = 20, 30


def sample(*instances, **changes):
    found = []
    for number, own in enumerate(instances):
        base = dict(ann_id=number + 1, bbox_label=0, ignore_flag=0)
        found.append(dict(base, **copy.deepcopy(own)))
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[2, 5] = 7, 8, 9
    results = dict(
        img=image,
        ori_shape=(HEIGHT, WIDTH),
        img_id=4,
        img_path='a/b.png',
        supervision='boxes',
        instances=found,
    )
    return dict(results, **changes)


def prompts(kind, *instances, **settings):
    packed = PackPrompts(kind, **settings)(sample(*instances))
    return packed['data_samples'].prompts


def test_image_is_packed_as_it_is():
    packed = PackPrompts('boxes')(sample())
    assert packed['inputs'].shape == (3, HEIGHT, WIDTH)
    assert packed['inputs'][:, 2, 5].tolist() == [7, 8, 9]
    assert packed['data_samples'].img_id == 4


@pytest.mark.parametrize('kind', ['points', 'boxes', 'extreme_points', 'masks'])
def test_image_without_objects(kind):
    found = prompts(kind)
    assert found.points.shape == (0, 0, 2)
    assert found.ann_ids == [] and len(found.labels) == 0
    assert ('boxes' in found) == (kind != 'points')


def test_points_are_pixels_in_the_image():
    found = prompts('points', dict(point=[3.5, 4]), dict(point=[WIDTH, HEIGHT]))
    assert found.points.tolist() == [[[3.5, 4]], [[WIDTH - 1, HEIGHT - 1]]]
    assert 'boxes' not in found


def test_boxes_are_cut_off_at_the_border():
    found = prompts('boxes', dict(bbox=[-3, 2, 7.5, 99]), dict(bbox=[1, 1, 2, 2]))
    assert found.boxes.tolist() == [[0, 2, 7.5, HEIGHT], [1, 1, 2, 2]]
    assert found.points.shape == (2, 0, 2)
    found = prompts('boxes', dict(bbox=[4, 2, 8, 10]), centre=True)
    assert found.points.tolist() == [[[5.5, 5.5]]]  # of 4 x 8 pixels


def test_extreme_points_are_moved_into_the_object():
    # Top, left, bottom, right of a box of 20 x 10 pixels with the centre (15, 9).
    extreme = dict(
        bbox=[5, 4, 25, 14], extreme_points=[[10, 4], [5, 9], [20, 14], [25, 8]]
    )
    found = prompts('extreme_points', extreme)
    expected = np.array([[10.5, 4.5], [6, 9], [19.5, 13.5], [24, 8.1]]) - 0.5
    np.testing.assert_allclose(found.points[0], expected, atol=1e-5)
    assert found.boxes.tolist() == [[5, 4, 25, 14]]
    found = prompts('extreme_points', extreme, inward=None, centre=True)
    assert found.points.tolist() == [[[14.5, 8.5]]]
    assert prompts('extreme_points', extreme, inward=None).points.shape == (1, 0, 2)


def test_points_of_a_mask_lie_in_it_and_apart():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[3:12, 4:24] = 1
    rle = coco_mask.encode(np.asfortranarray(mask))
    own = dict(bbox=[4, 3, 24, 12], mask=rle)
    found = prompts('masks', own, dict(own, weak_bbox=[3, 2, 25, 13]))
    points = found.points[0].long()
    assert mask[points[:, 1], points[:, 0]].all()
    distances = torch.cdist(found.points[0], found.points[0])
    assert distances[~torch.eye(3, dtype=bool)].min() > 3
    assert found.boxes.tolist() == [[4, 3, 24, 12], [3, 2, 25, 13]]
    np.testing.assert_array_equal(coco_mask.decode(found.masks[0]), mask)


def test_mask_of_two_pixels_repeats_its_last_point():
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5, 6:8] = 1
    rle = coco_mask.encode(np.asfortranarray(mask))
    found = prompts('masks', dict(bbox=[6, 5, 8, 6], mask=rle))
    assert found.points[0].tolist() == [[6, 5], [7, 5], [7, 5]]


def test_crowds_and_boxes_without_area_get_no_prompt():
    found = prompts(
        'boxes',
        dict(bbox=[0, 0, 5, 5], ignore_flag=1),
        dict(bbox=[3, 3, 3, 9]),
        dict(bbox=[3, 3, 4, 4]),
    )
    assert found.ann_ids == [3]


@pytest.mark.parametrize(
    ('kind', 'own', 'problem'),
    [
        ('boxes', dict(bbox=[40, 2, 50, 9]), 'has no pixel in the image of 30 x 20'),
        ('boxes', dict(point=[1, 1]), "no bbox for prompt='boxes'"),
        ('points', dict(point=[31, 2]), 'lies outside the image of 30 x 20 pixels'),
        ('points', dict(point=[float('nan'), 2]), 'lies outside'),
        ('extreme_points', dict(bbox=[1, 1, 5, 5]), 'no extreme_points'),
        ('masks', dict(bbox=[1, 1, 5, 5]), 'no mask'),
    ],
)
def test_what_prompts_nothing_is_named(kind, own, problem):
    with pytest.raises(ValueError, match=problem) as error:
        PackPrompts(kind)(sample(own))
    assert 'a/b.png (image id 4), annotation id 1' in str(error.value)


def test_changed_images_are_refused():
    for change in (dict(ori_shape=(HEIGHT, 2 * WIDTH)), dict(flip=True)):
        with pytest.raises(ValueError, match='needs the image as it was loaded'):
            PackPrompts('boxes')(sample(**change))


@pytest.mark.parametrize(
    'settings',
    [
        dict(prompt='image_tags'),
        dict(prompt='boxes', inward=1.5),
        dict(prompt='masks', num_points=0),
    ],
)
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match='PackPrompts'):
        PackPrompts(**settings)
