"""What the checks let through, MMDetection's loaders read; the rest is named."""

import copy
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.config import Config
from PIL import Image

from mmwsis.engine.label_check import check_dataset
from mmwsis.engine.preflight import PreflightError

sys.path.insert(0, str(Path(__file__).parent))
from first_problem import check_labels

WIDTH, HEIGHT = 40, 30
JUNK = [
    *(None, True, False, -1, 0, 1, 2, 7, 0.5, 10**30, -(10**30), 1e308, -1e308),
    *(float('nan'), float('inf'), '', '7', 'é', 'a.png', '\ud800', 'x\x00y'),
    *([], {}, [[]], [None], [{}], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6]),
    *([[1, 2]] * 4, [[1, 2], [3, 4], [5, 9]], ['x'] * 4, [[['a']]], [[1, 2, 3, 4]]),
    [[1e9, 1, 2, 3e9, 4, 5]],
    *({'size': [30, 40], 'counts': '0'}, {'size': None, 'counts': [1200]}),
    *({'size': [30, 40], 'counts': [600, 600]}, {'size': [40, 30], 'counts': [1200]}),
    *({'size': [30.0, 40], 'counts': [600, 600]}, {'size': 3, 'counts': 4}),
    {'size': [30, 40], 'counts': {}},
]


def document():
    """Two images, a polygon, an RLE and a crowd."""

    def entry(ann_id, image_id, category_id, box, mask, **values):
        x, y, w, h = box
        mask = mask or [[x, y, x + w, y, x + w, y + h, x, y + h]]
        return dict(
            id=ann_id,
            image_id=image_id,
            category_id=category_id,
            iscrowd=0,
            bbox=box,
            area=w * h,
            segmentation=mask,
            **values,
        )

    left = dict(size=[HEIGHT, WIDTH], counts=[600, 300, 300])
    return dict(
        images=[
            dict(id=k, file_name=f'{k}.png', width=WIDTH, height=HEIGHT) for k in (1, 2)
        ],
        annotations=[
            entry(11, 1, 3, [4, 6, 20, 14], None),
            entry(12, 1, 5, [20, 0, 10, 30], left),
            entry(21, 2, 3, [8, 8, 12, 12], None, ignore=0),
        ],
        categories=[dict(id=3, name='bolt'), dict(id=5, name='nut')],
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for key in (1, 2):
        Image.new('RGB', (WIDTH, HEIGHT)).save(root / f'{key}.png')
    return root


def training(root):
    """Config of a final model."""
    dataset = dict(
        type='mmdet.CocoDataset',
        data_root=str(root),
        ann_file='labels.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=('bolt', 'nut')),
        filter_cfg=dict(filter_empty_gt=True, min_size=2),
    )
    return Config(dict(train_dataloader=dict(dataset=dataset)))


def places(value, path=()):
    """Paths of all values in a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in items:
        if isinstance(entry, (dict, list)):
            yield from places(entry, (*path, key))
        else:
            yield (*path, key)


def put(coco, path, value):
    """Change, or with ``DEL`` remove, one value."""
    *parents, last = path
    target = coco
    for key in parents:
        target = target[key]
    if value == 'DEL':
        del target[last]
    else:
        target[last] = copy.deepcopy(value)


def verdicts(root, coco):
    """Texts of the validator and of the start of training; empty: nothing is wrong."""
    path = root / 'labels.json'
    path.write_text(json.dumps(coco) if isinstance(coco, dict) else coco)
    try:
        log = check_dataset(str(path), supervision='masks', images=str(root)).log
        try:
            log.raise_first(str(path))
            checked = ''
        except ValueError as error:
            checked = str(error)
    except ValueError as error:
        checked = str(error)
    try:
        check_labels(training(root))
        started = ''
    except PreflightError as error:
        started = str(error)
    return checked, started


def load(root):
    """Read the file as the training of a final model does."""
    cfg = training(root).train_dataloader.dataset.to_dict()
    cfg.pop('type')
    dataset = CocoDataset(**cfg)
    transform = LoadAnnotations(with_bbox=True, with_mask=True)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        result = transform(dict(info, ori_shape=(HEIGHT, WIDTH)))
        assert len(result['gt_masks']) == len(info['instances'])


def test_the_document_is_valid(folder):
    assert verdicts(folder, document()) == ('', '')
    load(folder)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_one_changed_value(folder, capsys, data):
    coco = document()
    path = data.draw(st.sampled_from(list(places(coco))))
    put(coco, path, data.draw(st.sampled_from(['DEL', *JUNK])))
    checked, started = verdicts(folder, coco)
    assert bool(checked) == bool(started), (checked, started)
    if not checked:
        load(folder)
    capsys.readouterr()


def annotation(index=0, **values):
    return lambda coco: coco['annotations'][index].update(copy.deepcopy(values))


def without(*keys, index=0):
    return lambda coco: [coco['annotations'][index].pop(key) for key in keys]


def image(**values):
    return lambda coco: coco['images'][0].update(values)


def segmentation(value):
    return annotation(segmentation=value)


def top(**values):
    return lambda coco: coco.update(copy.deepcopy(values))


def everywhere(**values):
    return lambda coco: [
        entry.update(copy.deepcopy(values)) for entry in coco['annotations']
    ]


def nowhere(key):
    return lambda coco: [entry.pop(key) for entry in coco['annotations']]


def again(key, **values):
    return lambda coco: coco[key].append(dict(coco[key][0], **values))


AT = 'annotation id 11 of image id 1'
RLE = dict(size=[HEIGHT, WIDTH], counts=[600, 600])
SQUARE = [4, 6, 24, 6, 24, 20, 4, 20]
# Fault -> words that the validator and the start of training both say.
FAULTY = {
    'no_mask': (without('segmentation'), AT),
    'null_mask': (segmentation(None), AT),
    'empty_mask': (segmentation([]), AT),
    'no_masks': (nowhere('segmentation'), 'none of the 3 objects'),
    'crowd_without_mask': (
        lambda coco: (
            coco['annotations'][0].update(iscrowd=1),
            coco['annotations'][0].pop('segmentation'),
        ),
        AT,
    ),
    'no_annotations': (top(annotations=[]), 'no object'),
    'crowds_only': (everywhere(iscrowd=1), 'only crowds'),
    'annotations_missing': (lambda coco: coco.pop('annotations'), 'no object'),
    'annotations_no_list': (top(annotations={}), 'annotations must be a list'),
    'annotations_null': (top(annotations=None), 'annotations must be a list'),
    'images_no_list': (top(images={}), "list 'images'"),
    'images_null': (top(images=None), "list 'images'"),
    'no_images': (top(images=[], annotations=[]), 'no object'),
    'annotation_no_object': (
        lambda coco: coco['annotations'].append([1]),
        'must be an object; got [1]',
    ),
    'image_no_object': (lambda coco: coco['images'].append(5), 'images[2]'),
    'image_twice': (again('images'), 'image id 1 appears twice'),
    'annotation_twice': (again('annotations'), 'annotation id 11 appears 2 times'),
    'two_points': (segmentation([[4, 6, 24, 20]]), AT),
    'odd_coordinates': (segmentation([[*SQUARE, 5]]), AT),
    'one_bad_part': (segmentation([SQUARE, [4, 6, 24, 20]]), AT),
    'no_coordinates': (segmentation([[]]), AT),
    'flat_list': (segmentation(SQUARE), 'two pairs of brackets'),
    'pairs': (segmentation([[4, 6], [24, 6], [24, 20]]), 'no [x, y] pairs'),
    'deep_pairs': (segmentation([[[4, 6], [24, 6], [24, 20]] * 2]), 'no [x, y] pairs'),
    'text_coordinates': (
        segmentation([['4', '6', '24', '6', '24', '20']]),
        'quotation',
    ),
    'null_coordinate': (segmentation([[None, *SQUARE[1:]]]), AT),
    'nan_coordinate': (segmentation([[float('nan'), *SQUARE[1:]]]), AT),
    'infinite_coordinate': (segmentation([[float('inf'), *SQUARE[1:]]]), AT),
    'huge_coordinate': (segmentation([[3e9, *SQUARE[1:]]]), AT),
    'text_mask': (segmentation('mask'), AT),
    'number_as_mask': (segmentation(7), AT),
    'rle_size_null': (segmentation(dict(RLE, size=None)), AT),
    'rle_size_turned': (segmentation(dict(RLE, size=[WIDTH, HEIGHT])), AT),
    'rle_size_floats': (segmentation(dict(RLE, size=[30.0, 40.0])), AT),
    'rle_size_texts': (segmentation(dict(RLE, size=['30', '40'])), AT),
    'rle_counts_missing': (segmentation(dict(size=[HEIGHT, WIDTH])), AT),
    'rle_counts_number': (segmentation(dict(RLE, counts=5)), AT),
    'rle_counts_empty': (segmentation(dict(RLE, counts='')), AT),
    'rle_counts_short': (segmentation(dict(RLE, counts=[600])), AT),
    'rle_counts_negative': (segmentation(dict(RLE, counts=[-600, 1800])), AT),
    'rle_counts_floats': (segmentation(dict(RLE, counts=[600.0, 600.0])), AT),
    'rle_counts_damaged': (segmentation(dict(RLE, counts='P' * 40 + '0')), AT),
    'rle_counts_bytes_as_text': (segmentation(dict(RLE, counts="b'abc'")), AT),
    'no_bbox': (without('bbox'), AT),
    'bbox_text': (annotation(bbox='7'), AT),
    'bbox_texts': (annotation(bbox=['4', '6', '20', '14']), AT),
    'bbox_three': (annotation(bbox=[4, 6, 20]), AT),
    'bbox_nan': (annotation(bbox=[4, 6, float('nan'), 14]), AT),
    'bbox_negative': (annotation(bbox=[24, 6, -20, 14]), AT),
    'bbox_outside': (annotation(bbox=[400, 6, 20, 14]), AT),
    'bbox_elsewhere': (annotation(bbox=[30, 25, 5, 5]), AT),
    'bbox_from_below': (annotation(bbox=[4, 24, 20, 14]), AT),
    'all_flat': (everywhere(bbox=[4, 6, 0.5, 0.5]), 'bbox'),
    'shares': (everywhere(bbox=[0.1, 0.2, 0.5, 0.4]), '0 to 1'),
    'no_area': (without('area'), AT),
    'area_text': (annotation(area='280'), AT),
    'area_negative': (annotation(area=-1), AT),
    'iscrowd_2': (annotation(iscrowd=2), AT),
    'iscrowd_text': (annotation(iscrowd='0'), AT),
    'no_id': (without('id'), 'annotation id None'),
    'id_float': (annotation(id=1.5), 'annotation id 1.5'),
    'id_list': (annotation(id=[1]), 'annotation id [1]'),
    'image_id_text': (annotation(image_id='1'), "the text '1', the file has 1"),
    'image_id_unknown': (annotation(image_id=9), 'annotation id 11 of image id 9'),
    'image_id_list': (annotation(image_id=[1]), 'image_id must be an id'),
    'category_id_text': (annotation(category_id='3'), "the text '3', the file has 3"),
    'category_id_unknown': (annotation(category_id=9), AT),
    'category_id_null': (annotation(category_id=None), AT),
    'category_id_object': (annotation(category_id={}), AT),
    'width_zero': (image(width=0), 'image id 1'),
    'width_text': (image(width='40'), 'image id 1'),
    'width_float': (image(width=40.0), 'image id 1'),
    'width_missing': (lambda coco: coco['images'][0].pop('width'), 'image id 1'),
    'size_huge': (image(width=10**6, height=10**6), 'image id 1'),
    'size_of_another': (image(width=80, height=60), 'image id 1'),
    'file_name_empty': (image(file_name=''), 'image id 1'),
    'file_name_number': (image(file_name=1), 'image id 1'),
    'file_name_missing': (
        lambda coco: coco['images'][0].pop('file_name'),
        'image id 1',
    ),
    'file_name_other_case': (image(file_name='1.PNG'), "'1.png': the names differ"),
    'file_name_other_kind': (image(file_name='1.jpg'), "'1.png': the names differ"),
    'file_name_backslash': (image(file_name='.\\1.png'), 'write / for backslashes'),
    'file_name_zero_byte': (image(file_name='1\0.png'), 'image id 1'),
}


@pytest.mark.parametrize('fault', FAULTY)
def test_validator_and_training_refuse_the_same(folder, fault):
    coco = document()
    spoil, words = FAULTY[fault]
    spoil(coco)
    checked, started = verdicts(folder, coco)
    assert words in checked
    assert words in started


FINE = {
    'iscrowd_true': annotation(iscrowd=True),
    'iscrowd_null': annotation(iscrowd=None),
    'no_iscrowd': without('iscrowd'),
    'text_ids': lambda coco: (
        coco['images'][0].update(id='x'),
        [entry.update(image_id='x') for entry in coco['annotations'][:2]],
        coco['annotations'][0].update(id='a'),
    ),
    'ignored_without_labels': lambda coco: (
        coco['annotations'][0].update(ignore=1),
        [coco['annotations'][0].pop(key) for key in ('bbox', 'area', 'segmentation')],
    ),
    'one_flat_box': annotation(
        bbox=[4, 6, 0.5, 14], segmentation=[[4, 6, 4.5, 6, 4.5, 20, 4, 20]]
    ),
    'mask_without_pixels': segmentation([[4, 6, 24, 6, 4, 6]]),
    'an_image_without_objects': lambda coco: coco['annotations'].pop(),
    'other_keys': lambda coco: (
        coco.update(licenses=None, info=[]),
        coco['images'][0].update(license={}, flickr_url=5),
    ),
}


@pytest.mark.parametrize('change', FINE)
def test_what_both_let_through_loads(folder, change, capsys):
    coco = document()
    FINE[change](coco)
    assert verdicts(folder, coco) == ('', '')
    load(folder)
    capsys.readouterr()


@pytest.mark.parametrize(
    'content, words',
    [
        ('', 'is no valid JSON'),
        ('{"images": [', 'is no valid JSON'),
        ('[]', 'expected a COCO JSON'),
        ('{}', "list 'images'"),
        ('{"images": [], "categories": 5}', "list 'categories'"),
    ],
)
def test_no_coco_file(folder, content, words):
    checked, started = verdicts(folder, content)
    assert words in checked and words in started


def test_nothing_is_left_after_the_filter(folder):
    (folder / 'labels.json').write_text(json.dumps(document()))
    cfg = training(folder)
    cfg.train_dataloader.dataset.filter_cfg.min_size = 32
    with pytest.raises(PreflightError, match='no labelled image has sides of 32 pix'):
        check_labels(cfg)
    coco = document()
    coco['categories'].append(dict(id=9, name='screw'))
    (folder / 'labels.json').write_text(json.dumps(coco))
    cfg = training(folder)
    cfg.train_dataloader.dataset.metainfo.classes = ('screw',)
    with pytest.raises(PreflightError, match="of 'screw'; the file has 'bolt', 'nut'"):
        check_labels(cfg)


def test_nothing_is_left_of_the_crops(folder):
    (folder / 'labels.json').write_text(json.dumps(document()))
    cfg = training(folder)
    dataset = cfg.train_dataloader.dataset
    dataset.update(type='mmwsis.ObjectCropDataset', supervision='boxes', filter_cfg={})
    with pytest.raises(PreflightError, match=r'size that training keeps: 2048 < width'):
        check_labels(cfg)
    for some in (dict(min_area=10), None):
        dataset.filter_cfg = some
        check_labels(cfg)
    del dataset.filter_cfg
    with pytest.raises(PreflightError, match='2048 < width'):
        check_labels(cfg)


@pytest.mark.parametrize(
    'spoil, words',
    [
        (without('iscrowd'), 'breaks iscrowd-missing: annotation id 11 of image id 1'),
        (
            annotation(id='a'),
            "breaks annotation-id-text: annotation id 'a' of image id",
        ),
    ],
)
def test_what_pycocotools_needs_for_evaluation(folder, spoil, words):
    coco = document()
    spoil(coco)
    path = folder / 'labels.json'
    path.write_text(json.dumps(coco))
    cfg = training(folder)
    check_labels(cfg)
    cfg.val_evaluator = dict(type='mmdet.CocoMetric', ann_file=str(path))
    cfg.val_dataloader = cfg.train_dataloader
    with pytest.raises(PreflightError, match=words):
        check_labels(cfg)
    cfg.val_evaluator = dict(type='mmwsis.CocoInstanceMetric', ann_file=str(path))
    check_labels(cfg)


def test_images_with_a_url_alone(folder):
    coco = document()
    for entry in coco['images']:
        entry['coco_url'] = f'http://x/{folder.name}/{entry.pop("file_name")}'
    (folder / 'labels.json').write_text(json.dumps(coco))
    cfg = training(folder)
    cfg.train_dataloader.dataset.data_prefix.img = '..'
    with pytest.raises(PreflightError, match='breaks image-url-only: image id 1'):
        check_labels(cfg)
    cfg.train_dataloader.dataset.type = 'mmwsis.CocoWeakDataset'
    cfg.train_dataloader.dataset.supervision = 'masks'
    check_labels(cfg)
