"""What the checks let through, MMDetection's loaders read; the rest is named."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.config import Config
from PIL import Image

from mmwsis.engine.label_check import check_dataset, check_labels
from mmwsis.engine.preflight import PreflightError

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
