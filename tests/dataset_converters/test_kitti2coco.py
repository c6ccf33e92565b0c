"""On files in the layout and the formats of KITTI."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_api

from mmwsis.dataset_converters.image_records import ConversionError
from mmwsis.dataset_converters.kitti_boxes import KittiBoxOptions, convert_boxes
from mmwsis.dataset_converters.kitti_masks import KittiMaskOptions, convert_masks
from mmwsis.datasets import CocoWeakDataset
from mmwsis.structures.supervision import Supervision

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/kitti2coco.py'
HEIGHT, WIDTH = 37, 124
LINES = [
    ('Car', '10.5 3.25 30.75 20.25'),
    ('Van', '60.00 4.00 90.00 24.00'),
    ('Pedestrian', '40.00 2.00 45.00 15.00'),
    ('DontCare', '100.00 1.00 120.00 9.00'),
]
SKY, ROAD, PERSON, CAR, CARAVAN = 23, 7, 24, 26, 29


def box_file(lines):
    text = [
        f'{kind} 0.00 0 -1.57 {box} 1.60 1.57 3.23 -2.70 1.74 3.68 -1.29'
        for kind, box in lines
    ]
    return '\n'.join(text) + '\n'


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'object'
    for folder in ('training/image_2', 'training/label_2', 'ImageSets'):
        (root / folder).mkdir(parents=True)
    for name, lines in (('000007', LINES), ('000003', LINES[2:3])):
        image = Image.new('RGB', (WIDTH, HEIGHT))
        image.save(root / f'training/image_2/{name}.png')
        (root / f'training/label_2/{name}.txt').write_text(box_file(lines))
    (root / 'ImageSets/train.txt').write_text('000003\n000007\n')
    return root


def options(root, level=Supervision.BOXES, classes=('car',)):
    training = root / 'training'
    return KittiBoxOptions(training / 'image_2', training / 'label_2', level, classes)


def test_points_are_box_centres_and_nothing_stronger_is_written(root, tmp_path):
    listed = root / 'ImageSets/train.txt'
    out = tmp_path / 'points.json'
    document, _, warnings = convert_boxes(
        listed, out, options(root, Supervision.POINTS)
    )
    (car,) = document['annotations']
    # ((10.5 + 30.75) // 2, (3.25 + 20.25) // 2), as WISE places it.
    assert car['point'] == [20, 11]
    assert set(car) == {'id', 'image_id', 'category_id', 'iscrowd', 'point'}
    assert [image['tags'] for image in document['images']] == [[], [CAR]]
    assert '3712' in warnings[0]
    dataset = CocoWeakDataset(
        ann_file=str(out),
        data_prefix=dict(img=str(root / 'training/image_2')),
        metainfo=dict(classes=('car',)),
        supervision='points',
    )
    assert dataset.get_data_info(1)['instances'][0]['point'].tolist() == [20, 11]


def test_what_the_evaluation_ignores_becomes_crowd_boxes(root, tmp_path):
    listed = root / 'ImageSets/train.txt'
    document = convert_boxes(listed, tmp_path / 'a.json', options(root)).document
    rows = [
        (a['category_id'], a['iscrowd'], a['bbox']) for a in document['annotations']
    ]
    assert rows == [
        (CAR, 0, [10.5, 3.25, 20.25, 17.0]),
        (CAR, 1, [60, 4, 30, 20]),
        (CAR, 1, [100, 1, 20, 8]),
    ]
    both = options(root, classes=('car', 'van', 'person'))
    document = convert_boxes(listed, tmp_path / 'b.json', both).document
    found = [(a['category_id'], a['iscrowd']) for a in document['annotations']]
    # A van that is asked for is no neighbour; DontCare counts for every class.
    assert found == [(24, 0), (26, 0), (41, 0), (24, 0), (26, 1), (41, 1), (24, 1)]
    assert document['images'][1]['tags'] == [24, 26, 41]
    with pytest.raises(ValueError, match='Car'):
        options(root, classes=('Car',))
    with pytest.raises(ValueError, match='level must be points or boxes'):
        options(root, Supervision.MASKS)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        (('Car', '10 5 10 9'), 'no width or no height'),
        (('Car', '10 5 nan 9'), 'not finite'),
        (('Car', '10 5 x 9'), 'must be numbers'),
        (('Car', '10 5 9'), 'expected 15 fields'),
        (('Lorry', '10 5 20 9'), "unknown type 'Lorry'"),
        (('Car', '200 5 220 9'), 'outside the image of 124 x 37'),
    ],
)
def test_broken_lines_are_named(root, tmp_path, line, message):
    file = root / 'training/label_2/000007.txt'
    file.write_text(box_file([*LINES[:1], line]))
    with pytest.raises(ConversionError, match=rf'000007.txt, line 2 .*{message}'):
        convert_boxes(root / 'ImageSets/train.txt', tmp_path / 'a.json', options(root))


def instance_map():
    labels = np.full((HEIGHT, WIDTH), SKY * 256, np.uint16)
    labels[20:] = ROAD * 256
    labels[10:25, 5:20] = CAR * 256 + 1
    labels[10:25, 20:35] = CAR * 256 + 2
    labels[12:18, 60:70] = CAR * 256
    labels[5:20, 80:85] = PERSON * 256 + 1
    labels[5:20, 90:99] = CARAVAN * 256 + 1
    labels[:3, 100:] = 0
    return labels


@pytest.fixture
def semantics(tmp_path):
    training = tmp_path / 'semantics/training'
    for folder in ('image_2', 'instance'):
        (training / folder).mkdir(parents=True)
    Image.new('RGB', (WIDTH, HEIGHT)).save(training / 'image_2/000007_10.png')
    Image.fromarray(instance_map()).save(training / 'instance/000007_10.png')
    return training


def test_instance_maps_become_masks(semantics, tmp_path):
    chosen = KittiMaskOptions(semantics / 'image_2', semantics / 'instance')
    document, _, warnings = convert_masks(None, tmp_path / 'a.json', chosen)
    labels = instance_map()
    found = document['annotations']
    assert [a['iscrowd'] for a in found] == [1, 0, 0]
    for annotation, number in zip(found, (0, 1, 2)):
        mask = mask_api.decode(annotation['segmentation']).astype(bool)
        assert (mask == (labels == CAR * 256 + number)).all()
    (image,) = document['images']
    void = mask_api.decode(image['void']).astype(bool)
    assert (void == ((labels == 0) | (labels // 256 == CARAVAN))).all()
    assert image['tags'] == [CAR] and '200' in warnings[0]
    assert [category['name'] for category in document['categories']] == ['car']
    chosen = KittiMaskOptions(
        semantics / 'image_2', semantics / 'instance', ('person', 'car')
    )
    document = convert_masks(None, tmp_path / 'b.json', chosen).document
    assert [c['id'] for c in document['categories']] == [24, 26]
    assert document['images'][0]['tags'] == [24, 26]
    labels[0, 0] = 99 * 256 + 1
    Image.fromarray(labels).save(semantics / 'instance/000007_10.png')
    with pytest.raises(ConversionError, match=r'000007_10.png: has .* label 99'):
        convert_masks(None, tmp_path / 'c.json', chosen)


def test_command_line(root, semantics, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location('kitti2coco_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    listed = root / 'ImageSets/train.txt'
    tool.main(['boxes', str(root), '--list', str(listed), '--workers', '1'])
    names = sorted(file.name for file in (root / 'weak').iterdir())
    assert names == ['boxes_train.json', 'points_train.json']
    out = tmp_path / 'annotations/instances_val.json'
    command = ['masks', str(semantics.parent), '--out', str(out), '--workers', '1']
    tool.main(command)
    assert len(json.loads(out.read_bytes())['annotations']) == 3
    captured = capsys.readouterr()
    assert '2 images, 1 objects, 2 ignored regions' in captured.out
    assert 'KITTI has 200 with instance maps' in captured.err
    with pytest.raises(SystemExit, match='exists.*--overwrite'):
        tool.main([*command, '--classes', 'person'])
