"""Images and labels that are given in Python: what is taken, and every refusal."""

import numpy as np
import pytest
from mmengine.config import Config

from mmwsis.apis import LabelInferencer
from mmwsis.apis.given_images import GivenImage, LoadGivenImage, check_images
from mmwsis.apis.weak_labels import ExpectedLabels, coco_of_labels, expected_labels
from mmwsis.datasets.transforms import LoadCachedImage, LoadCheckedImage
from mmwsis.structures.supervision import Supervision

NAMES = ('nut', 'bolt', 'floor')
IMAGES = [GivenImage('a.jpg', (30, 40)), GivenImage('b.jpg', (50, 60))]
POINTS = ExpectedLabels('points', level=Supervision.POINTS)
CORNERS = [[20, 5], [10, 15], [20, 25], [35, 15]]


def coco_of(expected, labels=None, **given):
    kinds = dict.fromkeys(('tags', 'points', 'boxes', 'extreme_points'))
    return coco_of_labels(IMAGES, kinds | given, labels, expected, NAMES, ('floor',))


def test_every_kind_becomes_a_label_file():
    labels = [['bolt', 0], []]
    coco = coco_of(POINTS, labels, points=[[[5, 6.5], [39, 29]], []])
    assert [(one['id'], one['isthing']) for one in coco['categories']] == [
        *((1, 1), (2, 1), (3, 0))
    ]
    assert coco['images'][1] == dict(
        id=1, file_name='000001/b.jpg', width=60, height=50
    )
    first = dict(id=1, image_id=0, category_id=2, iscrowd=0, point=[5.0, 6.5])
    assert coco['annotations'][0] == first and len(coco['annotations']) == 2
    boxes = ExpectedLabels('boxes', with_tags=True, level=Supervision.MASKS)
    given = dict(boxes=[np.array([[2, 3, 10, 9]]), []], tags=[['floor'], ()])
    coco = coco_of(boxes, [[np.int64(1)], []], **given)
    assert coco['annotations'][0]['bbox'] == [2, 3, 8, 6]
    assert [one['tags'] for one in coco['images']] == [[2, 3], []]
    assert [one['supervision'] for one in coco['images']] == ['boxes', 'boxes']
    crops = ExpectedLabels('extreme_points', needs_classes=False)
    coco = coco_of(crops, extreme_points=[[CORNERS], []])
    assert coco['annotations'][0]['extreme_points'] == CORNERS


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (dict(boxes=[[], []]), r'takes points= \(one \[x, y\] .*\), got boxes='),
        (dict(points=[[], []], tags=[[], []]), 'takes points=.*got tags='),
        (dict(), 'takes points=.*give them'),
        (dict(points=[[]]), 'points has 1 entries, there are 2 images'),
        (dict(points='ab'), 'points must be a list with one list for each image'),
        (dict(points=[[], 7]), r'images\[1\]: points must be a list, got 7'),
        (dict(points=[[[1, 2]], []]), 'labels= is missing.*a name or an index'),
        (
            dict(points=[[], [[1, 2]]], labels=[[], [0, 1]]),
            r'images\[1\] has 1 points and 2 labels',
        ),
        (
            dict(points=[[[1, 2], [3, 4]], []], labels=[['nut', 'Bolt'], []]),
            r"images\[0\], object 1: unknown class 'Bolt'.*differ in upper and lower",
        ),
        (
            dict(points=[[[1, 2]], []], labels=[[3], []]),
            r'images\[0\], object 0: a class is a name, or an index from 0 to 2; got 3',
        ),
        (dict(points=[[[1, 2]], []], labels=[[True], []]), 'index from 0 to 2'),
        (
            dict(points=[[[1, 2, 3]], []], labels=[[0], []]),
            r'images\[0\], object 0: points are one \[x, y\].*got \[1, 2, 3\]',
        ),
        (dict(points=[[['a', 2]], []], labels=[[0], []]), 'finite numbers'),
        (dict(points=[[[np.nan, 2]], []], labels=[[0], []]), 'finite numbers'),
        (
            dict(points=[[], [[5, 5], [5, 52]]], labels=[[], [0, 0]]),
            r'images\[1\], object 1: point \[5.0, 52.0\] lies outside the image of '
            '60 x 50 pixels',
        ),
    ],
)
def test_what_a_labeler_of_points_refuses(given, message):
    labels = given.pop('labels', None)
    with pytest.raises(ValueError, match=message) as caught:
        coco_of(POINTS, labels, **given)
    assert '\n' not in str(caught.value)


def test_what_other_labelers_refuse():
    tags = ExpectedLabels('tags', level=Supervision.IMAGE_TAGS)
    with pytest.raises(ValueError, match=r"images\[1\]: tags: unknown class 'cat'"):
        coco_of(tags, tags=[['nut'], ['cat']])
    with pytest.raises(ValueError, match='labels= are the classes of objects'):
        coco_of(tags, [[], []], tags=[[], []])
    with pytest.raises(ValueError, match='takes images without labels, got tags='):
        coco_of(ExpectedLabels(None), tags=[[], []])
    boxes = ExpectedLabels('boxes', needs_classes=False)
    with pytest.raises(ValueError, match=r'object 0: box .* is not \[x0, y0, x1, y1\]'):
        coco_of(boxes, boxes=[[[20, 10, 5, 25]], []])
    with pytest.raises(ValueError, match='box .* lies outside the image of 40 x 30'):
        coco_of(boxes, boxes=[[[50, 10, 60, 25]], []])
    crops = ExpectedLabels('extreme_points', needs_classes=False)
    with pytest.raises(ValueError, match=r'images\[0\], object 0: extreme_points must'):
        coco_of(crops, extreme_points=[[CORNERS[::-1]], []])
    shifted = (np.array(CORNERS) + [10, 0]).tolist()
    with pytest.raises(ValueError, match='extreme_point .* lies outside'):
        coco_of(crops, extreme_points=[[shifted], []])


def test_what_a_pipeline_reads_decides():
    pack = dict(type='mmwsis.PackWeakInputs')
    weak = dict(type='mmwsis.CocoWeakDataset', supervision='boxes', pipeline=[pack])
    assert expected_labels(weak).kind is None  # a detector, its boxes are for training
    load = dict(type='mmwsis.LoadWeakAnnotations', with_bbox=True)
    assert expected_labels({**weak, 'pipeline': [load, pack]})[:2] == ('boxes', True)
    tags = {**weak, 'supervision': 'image_tags'}
    assert expected_labels(tags).kind == 'tags'
    crops = dict(type='mmwsis.ObjectCropDataset', supervision='extreme_points')
    assert expected_labels(crops)[:3] == ('extreme_points', False, False)
    assert expected_labels(dict(type='mmwsis.UnlabelledImageDataset')).kind is None
    refined = dict(
        weak, supervision='masks', pipeline=[dict(type='mmwsis.PackPrompts')]
    )
    with pytest.raises(ValueError, match='refines masks that a label file holds'):
        expected_labels(refined)


def test_images(tmp_path):
    array = np.zeros((4, 6, 3), np.uint8)
    found = check_images([array, array[:2]])
    assert [(one.name, one.size) for one in found] == [
        *(('images[0]', (4, 6)), ('images[1]', (2, 6)))
    ]
    assert len(check_images(np.stack([array, array]))) == 2
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    for images, message in (
        ('a.jpg', r'images must be a list of paths or arrays, \[image\] for one'),
        (array, 'images must be a list'),
        ([array, 5], r'images\[1\] must be a path or an array, got a int'),
        ([array[..., 0]], r'images\[0\] must be uint8 \(H, W, 3\), BGR'),
        ([array / 255], r'uint8 \(H, W, 3\).*got float64'),
        ([tmp_path / 'none.jpg'], r'images\[0\]: .*none.jpg does not exist'),
        ([array, tmp_path / 'broken.jpg'], r'images\[1\]: .*cannot be read'),
    ):
        with pytest.raises((TypeError, ValueError, OSError), match=message):
            check_images(images)


def test_arrays_are_loaded_as_files_are():
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    images = check_images([array])
    bgr = LoadGivenImage(images, LoadCheckedImage(to_float32=True))
    loaded = bgr(dict(img_id=0))
    assert loaded['img'].dtype == np.float32 and loaded['ori_shape'] == (2, 4)
    assert np.array_equal(loaded['img'], array)
    rgb = LoadGivenImage(images, LoadCachedImage())
    first, second = rgb(dict(img_id=0))['img'], rgb(dict(img_id=0))['img']
    assert first is second and not first.flags.writeable
    assert np.array_equal(first, array[..., ::-1])
    own = LoadGivenImage(images, LoadCachedImage(max_images=0))(dict(img_id=0))['img']
    own[:] = 0
    assert array.any()


def test_a_config_that_makes_no_labels_is_refused():
    with pytest.raises(ValueError, match=r'makes no pseudo labels.*DetInferencer'):
        LabelInferencer(Config(dict(model=dict(type='mmdet.SOLOv2'))))


@pytest.mark.parametrize('kind', ['points', 'extreme_points'])
def test_clicks_a_little_outside_are_on_the_border(kind):
    """As label files may have them; prompts of SAM, for one, may not."""
    four = [[5, -0.5], [-1, 8], [9, 30.6], [41, 9]]
    shape = [40.4, -0.7] if kind == 'points' else four
    expected = ExpectedLabels(kind, needs_classes=False)
    coco = coco_of(expected, [['nut'], []], **{kind: [[shape], []]})
    (one,) = coco['annotations']
    found = [one['point']] if kind == 'points' else one['extreme_points']
    four = [[5, 0], [0, 8], [9, 30], [40, 9]]
    assert found == ([[40, 0]] if kind == 'points' else four)


SPEC = """
data_spec = dict(
    name='nuts', data_root='FOLDER', classes=('nut', 'bolt'),
    train=dict(ann_file=None, img='images', weak=dict(boxes='boxes.json')), val=None)
"""


def test_a_loaded_config_is_fitted_to_a_dataset_as_a_named_one_is(tmp_path):
    from mmwsis.engine.run_config import load_run_config

    name = 'mmwsis::proposals/built-in_coco.py'
    (tmp_path / 'images').mkdir()
    (tmp_path / 'boxes.json').write_text('{}')
    (tmp_path / 'nuts.py').write_text(SPEC.replace('FOLDER', str(tmp_path)))
    dataset = tmp_path / 'nuts.py'
    loaded = LabelInferencer(load_run_config(name), dataset=dataset)
    named = LabelInferencer(name, dataset=dataset)
    assert loaded.cfg.pseudo_label_dataloader == named.cfg.pseudo_label_dataloader
    assert loaded.cfg.pseudo_label_dataloader.dataset.data_root.startswith(
        str(tmp_path)
    )
