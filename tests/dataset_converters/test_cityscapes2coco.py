"""On files in the layout, the format and the names of Cityscapes."""

import importlib.util
import json
from pathlib import Path

import mmcv
import numpy as np
import pytest
from mmdet.datasets import CityscapesDataset, CocoPanopticDataset
from mmseg.datasets import CityscapesDataset as SemanticCityscapes
from PIL import Image
from pycocotools import mask as mask_api

from mmwsis.dataset_converters.cityscapes import CityscapesOptions, convert_split
from mmwsis.dataset_converters.cityscapes_classes import (
    CITYSCAPES_LABELS,
    CITYSCAPES_STUFF,
    CITYSCAPES_THINGS,
)
from mmwsis.dataset_converters.coco2weak import derive_weak_coco
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.image_records import ConversionError
from mmwsis.datasets import CocoWeakDataset
from mmwsis.structures.supervision import Supervision

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/cityscapes2coco.py'
HEIGHT, WIDTH = 32, 64
NAMES = ('aachen/aachen_000000_000019', 'bochum/bochum_000000_000313')
EGO, ROAD, SKY, PERSON, CAR, CARAVAN = 1, 7, 23, 24, 26, 29


def instance_ids():
    """Road and sky, two cars, a group of cars, a group of caravans, the ego vehicle."""
    labels = np.full((HEIGHT, WIDTH), SKY, np.uint16)
    labels[16:] = ROAD
    labels[14:20, 4:14] = CAR * 1000
    labels[14:20, 14:22] = CAR * 1000 + 1
    labels[12:18, 30:50] = CAR
    labels[10:20, 52:60] = CARAVAN * 1000
    labels[30:] = EGO
    return labels


def add_image(root, name, labels, kind='gtFine', split='train', what='instanceIds'):
    photograph = root / f'leftImg8bit/{split}/{name}_leftImg8bit.png'
    target = root / f'{kind}/{split}/{name}_{kind}_{what}.png'
    for path in (photograph, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (WIDTH, HEIGHT), (70, 80, 90)).save(photograph)
    Image.fromarray(labels).save(target)
    return target


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'cityscapes'
    add_image(root, NAMES[0], instance_ids())
    second = np.full((HEIGHT, WIDTH), ROAD, np.uint16)
    second[5:9, 5:9] = PERSON * 1000 + 7
    add_image(root, NAMES[1], second)
    return root


def decoded(rle):
    return mask_api.decode(rle).astype(bool)


def test_labels_are_those_that_other_libraries_use():
    known = CityscapesDataset.METAINFO
    colors = {label.name: label.color for label in CITYSCAPES_LABELS}
    assert known['classes'] == CITYSCAPES_THINGS
    assert [colors[name] for name in CITYSCAPES_THINGS] == known['palette']
    semantic = SemanticCityscapes.METAINFO
    by_train_id = {x.train_id: x for x in CITYSCAPES_LABELS if x.train_id < 255}
    ordered = [by_train_id[k] for k in range(19)]
    assert tuple(x.name for x in ordered) == semantic['classes']
    assert [list(x.color) for x in ordered] == semantic['palette']
    assert len(CITYSCAPES_STUFF) == 11


def test_things_groups_tags_and_void(root, tmp_path):
    options = CityscapesOptions(root, 'gtFine', 'train')
    document = convert_split(options, tmp_path / 'a.json').document
    labels = instance_ids()
    first, second = document['images']
    assert first['file_name'] == f'{NAMES[0]}_leftImg8bit.png'
    assert first['tags'] == [ROAD, SKY, CAR] and second['tags'] == [ROAD, PERSON]
    void = (labels == EGO) | (labels == CARAVAN * 1000)
    assert (decoded(first['void']) == void).all() and 'void' not in second
    rows = [
        (a['image_id'], a['category_id'], a['iscrowd'], a['bbox'])
        for a in document['annotations']
    ]
    assert rows == [
        (1, CAR, 1, [30, 12, 20, 6]),
        (1, CAR, 0, [4, 14, 10, 6]),
        (1, CAR, 0, [14, 14, 8, 6]),
        (2, PERSON, 0, [5, 5, 4, 4]),
    ]
    masks = [decoded(a['segmentation']) for a in document['annotations']]
    assert (masks[0] == (labels == CAR)).all()
    assert (masks[1] == (labels == CAR * 1000)).all()
    names = [category['name'] for category in document['categories']]
    assert tuple(names) == (*CITYSCAPES_THINGS, *CITYSCAPES_STUFF)


def test_weak_labels_of_the_papers(root, tmp_path):
    """Boxes for things and tags for stuff; points; nothing of the masks or the void."""
    options = CityscapesOptions(root, 'gtFine', 'train')
    document = convert_split(options, tmp_path / 'a.json').document
    weak = derive_weak_coco(document, [Supervision.BOXES, Supervision.POINTS])
    boxes, points = weak[Supervision.BOXES], weak[Supervision.POINTS]
    assert boxes['images'][0]['tags'] == [ROAD, SKY, CAR]
    assert [a['iscrowd'] for a in boxes['annotations']] == [1, 0, 0, 0]
    assert 'void' not in json.dumps(boxes) and 'segmentation' not in json.dumps(boxes)
    assert [('point' in a) for a in points['annotations']] == [False, True, True, True]
    file = tmp_path / 'boxes.json'
    file.write_text(json.dumps(boxes))
    dataset = CocoWeakDataset(
        ann_file=str(file),
        data_prefix=dict(img=str(root / 'leftImg8bit/train')),
        metainfo=dict(classes=(*CITYSCAPES_THINGS, *CITYSCAPES_STUFF)),
        supervision='boxes',
    )
    # Stuff tags come after the things.
    road, sky = (8 + CITYSCAPES_STUFF.index(name) for name in ('road', 'sky'))
    info = dataset.get_data_info(0)
    assert info['tags'] == [CITYSCAPES_THINGS.index('car'), road, sky]
    assert [i['ignore_flag'] for i in info['instances']] == [1, 0, 0]


@pytest.mark.parametrize('ids', ['ids', 'trainIds'])
def test_panoptic_files_load_in_mmdetection(root, tmp_path, ids):
    folder, file = tmp_path / 'panoptic', tmp_path / 'panoptic.json'
    options = CityscapesOptions(
        root, 'gtFine', 'train', category_ids=ids, panoptic_dir=folder
    )
    convert_split(options, tmp_path / 'a.json')
    labels = instance_ids()
    document = json.loads(file.read_bytes())
    annotation = document['annotations'][0]
    image = mmcv.imread(str(folder / annotation['file_name']), channel_order='rgb')
    numbers = image.astype(int) @ [1, 256, 65536]
    void = (labels == EGO) | (labels == CARAVAN * 1000)
    assert (numbers == np.where(void, 0, labels)).all()
    segments = {entry['id']: entry for entry in annotation['segments_info']}
    assert set(segments) == {ROAD, SKY, CAR, CAR * 1000, CAR * 1000 + 1}
    assert segments[CAR]['iscrowd'] == 1 and segments[ROAD]['iscrowd'] == 0
    assert segments[ROAD]['category_id'] == (7 if ids == 'ids' else 0)
    for number, segment in segments.items():
        assert segment['area'] == (labels == number).sum()
    dataset = CocoPanopticDataset(
        ann_file=str(file),
        data_prefix=dict(img=str(root / 'leftImg8bit/train'), seg=str(folder)),
        metainfo=dict(
            classes=(*CITYSCAPES_THINGS, *CITYSCAPES_STUFF),
            thing_classes=CITYSCAPES_THINGS,
            stuff_classes=CITYSCAPES_STUFF,
        ),
        pipeline=[],
    )
    info = dataset.get_data_info(0)
    assert Path(info['seg_map_path']).is_file() and Path(info['img_path']).is_file()
    labels_of = {s['id']: s['category'] for s in info['segments_info']}
    assert labels_of[CAR * 1000] == CITYSCAPES_THINGS.index('car')
    assert labels_of[ROAD] == 8 + CITYSCAPES_STUFF.index('road')


def test_train_id_files_give_the_same_document(root, tmp_path):
    train_ids = {x.id: x.train_id for x in CITYSCAPES_LABELS}

    def to_train_id(number):
        if number < 1000:
            return train_ids[number]
        own = train_ids[number // 1000]
        return own if own == 255 else own * 1000 + number % 1000

    source = root / f'gtFine/train/{NAMES[0]}_gtFine_instanceIds.png'
    convert = np.vectorize(to_train_id, otypes=[np.uint16])
    for name in NAMES:
        file = source.parents[1] / f'{name}_gtFine_instanceIds.png'
        numbers = convert(np.asarray(Image.open(file)))
        add_image(root, name, numbers, what='instanceTrainIds')
    options = CityscapesOptions(root, 'gtFine', 'train')
    first = convert_split(options, tmp_path / 'a.json').document
    options = CityscapesOptions(root, 'gtFine', 'train', 'instanceTrainIds')
    second = convert_split(options, tmp_path / 'b.json').document
    assert first['images'] == second['images']
    assert first['annotations'] == second['annotations']
    Image.fromarray(np.full((HEIGHT, WIDTH), 7000, np.uint16)).save(
        root / f'gtFine/train/{NAMES[1]}_gtFine_instanceTrainIds.png'
    )
    with pytest.raises(ConversionError, match='number 7000, which no instanceTrainIds'):
        convert_split(options, tmp_path / 'c.json')


def test_semantic_maps(root, tmp_path):
    folder = root / 'gtFine/train'
    options = CityscapesOptions(root, 'gtFine', 'train', semantic_dir=folder)
    convert_split(options, tmp_path / 'a.json')
    file = root / f'gtFine/train/{NAMES[0]}_gtFine_labelTrainIds.png'
    train_ids = np.asarray(Image.open(file))
    assert train_ids[0, 0] == 10 and train_ids[25, 0] == 0 and train_ids[31, 0] == 255
    assert (
        train_ids[15, 5] == 13 and train_ids[13, 31] == 13 and train_ids[12, 55] == 255
    )


def test_coarse_command_line(root, tmp_path, capsys):
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[20:] = ROAD
    labels[2:8, 2:8] = 26001
    name = 'augsburg/augsburg_000000_000000'
    add_image(root, name, labels, 'gtCoarse', 'train_extra')
    spec = importlib.util.spec_from_file_location('cityscapes2coco_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    command = [str(root), '--annotations', 'coarse', '--split', 'train_extra']
    command += ['--panoptic', '--workers', '1']
    tool.main(command)
    captured = capsys.readouterr()
    assert '1 images, 1 objects, 0 group regions' in captured.out
    assert 'gtCoarse train_extra has 19998' in captured.err
    file = root / 'annotations/instances_gtCoarse_train_extra.json'
    document = json.loads(file.read_bytes())
    assert (decoded(document['images'][0]['void']) == (labels == 0)).all()
    assert document['images'][0]['tags'] == [ROAD, 26]
    with pytest.raises(SystemExit, match='instances_.* exists.*--overwrite'):
        tool.main(command)
    file.unlink()
    panoptic = file.with_name('panoptic_gtCoarse_train_extra.json')
    panoptic.write_text('mine')
    with pytest.raises(SystemExit, match='panoptic_.* exists'):
        tool.main(command)
    assert panoptic.read_text() == 'mine' and not file.exists()
    with pytest.raises(SystemExit, match='has no files'):
        tool.main([str(root), '--split', 'val'])


@pytest.mark.parametrize(
    ('number', 'message'), [(34, 'number 34,'), (7001, '7001'), (65535, '65535')]
)
def test_broken_numbers_are_named(root, tmp_path, number, message):
    labels = instance_ids()
    labels[0, 0] = number
    add_image(root, NAMES[0], labels)
    options = CityscapesOptions(root, 'gtFine', 'train')
    with pytest.raises(ConversionError, match=rf'000019_gtFine_instanceIds.*{message}'):
        convert_split(options, tmp_path / 'a.json')
    _, left_out, warnings = convert_split(
        options, tmp_path / 'a.json', run=RunOptions(skip_invalid=True)
    )
    assert len(left_out) == 1 and '1 images' in warnings[0]
