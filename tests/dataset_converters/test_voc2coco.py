"""On files in the layout, the formats and the names of VOC 2012 and of SBD."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_api
from scipy.io import savemat
from scipy.sparse import csc_matrix

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.image_records import ConversionError
from mmwsis.dataset_converters.voc import VocOptions, convert_split
from mmwsis.dataset_converters.voc_classes import (
    VOC_CLASSES,
    VOC_PALETTE,
    VOC_SIZES,
    SplitSize,
    voc_palette,
)
from mmwsis.dataset_converters.voc_clicks import convert_clicks
from mmwsis.dataset_converters.voc_labels import read_sbd_labels, read_voc_labels
from mmwsis.dataset_converters.voc_layout import find_layout, image_ids, split_names
from mmwsis.datasets import CocoWeakDataset
from mmwsis.structures.supervision import Supervision, restrict_coco

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/voc2coco.py'
PERSON, CAR, DOG = 15, 7, 12
HEIGHT, WIDTH = 40, 60
XML = """<annotation><folder>VOC2012</folder>{}</annotation>"""
XML_OBJECT = """<object><name>{}</name><pose>Left</pose><truncated>0</truncated>
<difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>
<ymax>{}</ymax></bndbox><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>
</object>"""


def palette_png(path, labels):
    image = Image.fromarray(labels)
    image.putpalette(voc_palette().tobytes())
    image.save(path)


def voc_maps():
    """Two touching persons, a car, void around and between."""
    objects = np.zeros((HEIGHT, WIDTH), np.uint8)
    objects[10:30, 5:15] = 1
    objects[10:30, 15:25] = 2
    objects[20:30, 40:55] = 3
    classes = np.array([0, PERSON, PERSON, CAR], np.uint8)[objects]
    void = np.zeros_like(objects, bool)
    void[8:10, 5:25] = void[30:32, 5:25] = void[20:22, 40:55] = True
    objects[void] = classes[void] = 255
    return objects, classes


def sbd_mat(root, name, objects, categories, classes=None):
    """The nested structures of SBD's files, boundaries included."""
    count = len(categories)
    boundaries = np.empty((count, 1), object)
    for k in range(count):
        boundaries[k, 0] = csc_matrix(objects == k + 1)
    inst = dict(
        Segmentation=objects,
        Boundaries=boundaries,
        Categories=np.array(categories, np.uint8)[:, None],
    )
    savemat(root / f'inst/{name}.mat', dict(GTinst=inst), do_compression=True)
    if classes is not None:
        contours = np.empty((20, 1), object)
        for k in range(20):
            contours[k, 0] = csc_matrix(classes == k + 1)
        cls = dict(
            Boundaries=contours,
            Segmentation=classes,
            CategoriesPresent=np.unique(classes[classes > 0])[:, None],
        )
        savemat(root / f'cls/{name}.mat', dict(GTcls=cls), do_compression=True)


@pytest.fixture
def roots(tmp_path):
    voc, sbd = tmp_path / 'VOCdevkit/VOC2012', tmp_path / 'benchmark_RELEASE/dataset'
    for folder in (
        'JPEGImages',
        'SegmentationClass',
        'SegmentationObject',
        'Annotations',
        'ImageSets/Segmentation',
    ):
        (voc / folder).mkdir(parents=True)
    for folder in ('inst', 'cls'):
        (sbd / folder).mkdir(parents=True)
    lists = voc / 'ImageSets/Segmentation'
    (lists / 'train.txt').write_text('2007_000032\n')
    (lists / 'val.txt').write_text('2007_000033\n')
    (lists / 'trainval.txt').write_text('2007_000032\n2007_000033\n')
    # SBD has masks for images of VOC's train and val, too.
    (sbd / 'train.txt').write_text('2008_000002\n2007_000033\n')
    (sbd / 'val.txt').write_text('2007_000032\n2008_000007\n')
    objects, classes = voc_maps()
    for name in ('2007_000032', '2007_000033', '2008_000002', '2008_000007'):
        image = Image.new('RGB', (WIDTH, HEIGHT), (90, 80, 70))
        image.save(voc / f'JPEGImages/{name}.jpg')
    for name in ('2007_000032', '2007_000033'):
        palette_png(voc / f'SegmentationObject/{name}.png', objects)
        palette_png(voc / f'SegmentationClass/{name}.png', classes)
    xml = XML_OBJECT.format('car', 0, 40, 20, 57, 31)
    # The persons' boxes overlap; the second is the difficult one. No mask has the dog.
    xml += XML_OBJECT.format('person', 0, 5, 9, 16, 32)
    xml += XML_OBJECT.format('person', 1, 14, 9, 26, 32)
    xml += XML_OBJECT.format('dog', 1, 1, 1, 5, 5)
    (voc / 'Annotations/2007_000032.xml').write_text(XML.format(xml))
    inner = np.where(objects == 255, 0, objects)
    names = np.array([0, PERSON, PERSON, CAR], np.uint8)
    for name in ('2007_000032', '2008_000002', '2008_000007'):
        categories = [PERSON, PERSON, CAR]
        sbd_mat(sbd, name, inner, categories, names[inner])
    (sbd / 'cls/2008_000007.mat').unlink()
    return tmp_path / 'VOCdevkit', tmp_path / 'benchmark_RELEASE'


@pytest.fixture
def layout(roots):
    return find_layout(*roots)


def run_tool(*arguments):
    spec = importlib.util.spec_from_file_location('voc2coco_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(argument) for argument in arguments])


def decoded(rle):
    return mask_api.decode(rle).astype(bool)


def test_classes_and_colours_are_those_of_the_label_images():
    assert len(VOC_CLASSES) == len(VOC_PALETTE) == 20
    # From the development kit's VOClabelcolormap.
    assert VOC_PALETTE[0] == (128, 0, 0) and VOC_PALETTE[PERSON - 1] == (192, 128, 128)
    assert VOC_PALETTE[10] == (192, 128, 0) and VOC_PALETTE[19] == (0, 64, 128)
    assert (voc_palette()[255] == (224, 224, 192)).all()
    assert VOC_CLASSES[PERSON - 1] == 'person' and VOC_CLASSES[CAR - 1] == 'car'


def test_masks_exclude_void_and_touching_objects_stay_apart(layout, tmp_path):
    out = tmp_path / 'instances_train.json'
    document = convert_split(layout, 'train', out).document
    objects, classes = voc_maps()
    assert json.loads(out.read_bytes()) == document
    (image,) = document['images']
    assert image['id'] == 2007000032 and image['file_name'] == '2007_000032.jpg'
    assert (image['height'], image['width']) == (HEIGHT, WIDTH)
    assert image['tags'] == [CAR, PERSON]
    assert (decoded(image['void']) == (objects == 255)).all()
    found = {a['id']: a for a in document['annotations']}
    assert [a['category_id'] for a in found.values()] == [PERSON, PERSON, CAR]
    for number, annotation in found.items():
        assert (decoded(annotation['segmentation']) == (objects == number)).all()
        assert annotation['area'] == (objects == number).sum()
        assert annotation['iscrowd'] == 0
    assert found[3]['bbox'] == [40, 22, 15, 8]
    # Matched by box, not by order: the XML lists the car first.
    assert [a['difficult'] for a in found.values()] == [0, 1, 0]
    assert [c['id'] for c in document['categories']] == list(range(1, 21))
    assert tuple(c['name'] for c in document['categories']) == VOC_CLASSES


@pytest.mark.parametrize('orientation', [3, 6])
def test_maps_belong_to_the_upright_photograph(layout, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = (HEIGHT, WIDTH) if orientation == 6 else (WIDTH, HEIGHT)
    Image.new('RGB', lying).save(layout.image('2007_000032'), exif=exif)
    document = convert_split(layout, 'train', tmp_path / 'a.json').document
    (image,) = document['images']
    assert (image['height'], image['width']) == (HEIGHT, WIDTH)
    if orientation == 6:
        Image.new('RGB', lying).save(layout.image('2007_000032'))
        with pytest.raises(ConversionError, match='is 60 x 40 pixels .*is 40 x 60'):
            convert_split(layout, 'train', tmp_path / 'b.json')


def test_train_aug_is_built_from_the_four_lists(layout, tmp_path):
    expected = ['2007_000032', '2008_000002', '2008_000007']
    assert split_names(layout, 'train_aug') == expected
    document, left_out, warnings = convert_split(
        layout, 'train_aug', tmp_path / 'a.json', run=RunOptions(workers=2)
    )
    block = document['info']['mmwsis']
    assert block['images_from'] == {'voc': 1, 'sbd': 2} and not left_out
    assert [im['id'] for im in document['images']] == [
        2007000032,
        2008000002,
        2008000007,
    ]
    assert [a['id'] for a in document['annotations']] == list(range(1, 10))
    # VOC's own masks where there are any; SBD has no void.
    assert ['void' in image for image in document['images']] == [True, False, False]
    assert [image['tags'] for image in document['images']] == [[CAR, PERSON]] * 3
    assert any('10582' in warning for warning in warnings)
    one = convert_split(layout, 'train_aug', tmp_path / 'b.json').document
    assert one == document
    with pytest.raises(ValueError, match='--sbd'):
        split_names(find_layout(layout.voc), 'train_aug')


def test_published_counts_are_compared(layout, tmp_path, monkeypatch):
    warnings = convert_split(layout, 'val', tmp_path / 'val.json').warnings
    assert any('1 images, but VOC 2012 val has 1449' in line for line in warnings)
    assert any('3 objects, but VOC 2012 val has 3422' in line for line in warnings)
    assert any('images without XML' in line for line in warnings)
    monkeypatch.setitem(VOC_SIZES, 'train', SplitSize(1, 3))
    assert convert_split(layout, 'train', tmp_path / 'train.json').warnings == []


def test_tags_from_the_xml_name_objects_that_no_mask_shows(layout, tmp_path):
    options = VocOptions(tags='xml')
    document = convert_split(layout, 'train', tmp_path / 'x.json', options).document
    assert document['images'][0]['tags'] == [CAR, DOG, PERSON]
    with pytest.raises(ConversionError, match=r'2007_000033.xml: is needed for tags'):
        convert_split(layout, 'val', tmp_path / 'v.json', options)


def test_semantic_maps_of_both_sources(layout, tmp_path):
    folder = tmp_path / 'SegmentationClassAug'
    options = VocOptions(semantic_dir=str(folder))
    convert_split(layout, 'train_aug', tmp_path / 'a.json', options)
    _, classes = voc_maps()
    with Image.open(folder / '2007_000032.png') as image:
        assert image.mode == 'P' and (np.asarray(image) == classes).all()
        assert image.convert('RGB').getpixel((7, 15)) == VOC_PALETTE[PERSON - 1]
    with Image.open(folder / '2008_000007.png') as image:
        assert (np.asarray(image) == np.where(classes == 255, 0, classes)).all()


def test_panoptic_files_of_both_sources(roots, tmp_path, capsys):
    voc, sbd = roots
    # A class that no object of SBD has: neither background nor an object.
    objects, _ = voc_maps()
    inner = np.where(objects == 255, 0, objects)
    classes = np.array([0, PERSON, PERSON, CAR], np.uint8)[inner]
    classes[0, :7] = DOG
    sbd_mat(sbd / 'dataset', '2008_000002', inner, [PERSON, PERSON, CAR], classes)
    command = [voc, '--sbd', sbd, '--split', 'train_aug', '--panoptic']
    command += ['--out-dir', tmp_path / 'out', '--workers', 1]
    run_tool(*command)
    assert 'panoptic_train_aug.json: with PNGs in' in capsys.readouterr().out
    file = tmp_path / 'out/panoptic_train_aug.json'
    document = json.loads(file.read_bytes())
    by_name = {entry['file_name']: entry for entry in document['annotations']}
    for name, void in (
        ('2007_000032', objects == 255),
        ('2008_000002', classes == DOG),
    ):
        with Image.open(tmp_path / f'out/panoptic_train_aug/{name}.png') as image:
            ids = np.asarray(image.convert('RGB')).astype(int) @ [1, 256, 65536]
        assert ((ids == 0) == void).all()
        assert ((ids == 256) == ((inner == 0) & ~void)).all()
        segments = {one['id']: one for one in by_name[f'{name}.png']['segments_info']}
        assert {key: one['category_id'] for key, one in segments.items()} == {
            **{1: PERSON, 2: PERSON, 3: CAR},
            256: 21,
        }
        for number, segment in segments.items():
            assert segment['area'] == (ids == number).sum()
            assert segment['iscrowd'] == 0
    things = [one['name'] for one in document['categories'] if one['isthing']]
    assert things == [*VOC_CLASSES]
    assert document['categories'][-1]['name'] == 'background'
    instances = json.loads(file.with_name('instances_train_aug.json').read_bytes())
    assert len(instances['categories']) == 20
    assert [one['id'] for one in instances['images']] == [
        one['image_id'] for one in document['annotations']
    ]
    file.unlink()
    with pytest.raises(SystemExit, match='instances_train_aug.json exists'):
        run_tool(*command)
    run_tool(*command, '--overwrite')
    assert json.loads(file.read_bytes()) == document
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run_tool(*command, '--clicks', 'clicks.json')
    assert 'no panoptic files' in capsys.readouterr().err


def test_void_and_difficult_are_seen_by_masks_only(layout, tmp_path):
    out = tmp_path / 'a.json'
    convert_split(layout, 'train', out)
    raw = json.loads(out.read_bytes())
    for level in Supervision:
        text = json.dumps(restrict_coco(raw, level))
        assert ('void' in text) == ('difficult' in text) == (level == Supervision.MASKS)
    dataset = CocoWeakDataset(
        ann_file=str(out),
        data_prefix=dict(img=str(layout.voc / 'JPEGImages')),
        metainfo=dict(classes=VOC_CLASSES),
        supervision='masks',
    )
    info = dataset.get_data_info(0)
    assert [i['bbox_label'] for i in info['instances']] == [14, 14, 6]
    assert info['tags'] == [CAR - 1, PERSON - 1]


def test_own_lists_and_names(layout, tmp_path):
    listed = tmp_path / 'mine.txt'
    listed.write_text('2008_000007\n2007_000033\n')
    document = convert_split(layout, listed, tmp_path / 'mine.json').document
    assert [
        i['file_name'][:-4] for i in document['images']
    ] == listed.read_text().split()
    assert image_ids(['b', 'a']) == [1, 2]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda o, c: c.__setitem__(o == 3, 0), 'object 3 lies on the background'),
        (
            lambda o, c: c.__setitem__(o == 3, 77),
            r'Class/2007_000032.png: has the class 77',
        ),
    ],
)
def test_broken_maps_name_file_and_object(layout, tmp_path, change, message):
    objects, classes = voc_maps()
    change(objects, classes)
    palette_png(layout.classes('2007_000032'), classes)
    with pytest.raises(ConversionError, match=message):
        convert_split(layout, 'train', tmp_path / 'a.json')


def test_oddities_of_the_maps_are_counted(layout):
    objects, classes = voc_maps()
    classes[20:30, 50:55] = DOG  # a third of the car
    classes[0, :4] = CAR  # belongs to no object
    objects[5, 5] = 9
    classes[5, 5] = 255
    paths = layout.objects('2007_000032'), layout.classes('2007_000032')
    for path, labels in zip(paths, (objects, classes)):
        palette_png(path, labels)
    labels = read_voc_labels(*paths)
    assert labels.class_of == {1: PERSON, 2: PERSON, 3: CAR}
    assert (labels.objects[0, :4] == 255).all() and labels.objects[5, 5] == 255
    assert sorted(labels.notes.values()) == [1, 1, 4]


def test_broken_sbd_files_are_named(layout, tmp_path):
    sbd = layout.sbd
    good = np.zeros((HEIGHT, WIDTH), np.uint8)
    good[3:9, 4:8] = 2
    inst, cls = sbd / 'inst/2008_000002.mat', sbd / 'cls/2008_000002.mat'
    sbd_mat(sbd, '2008_000002', good, [CAR], None)
    with pytest.raises(ValueError, match=r'000002.mat: object 2 has no entry'):
        read_sbd_labels(inst, cls)
    sbd_mat(sbd, '2008_000002', good, [CAR, 33], None)
    with pytest.raises(ValueError, match=r'000002.mat: object 2 has category 33'):
        read_sbd_labels(inst, cls)
    sbd_mat(sbd, '2008_000002', good, [CAR, DOG], None)
    labels = read_sbd_labels(inst, sbd / 'cls/none.mat')
    assert labels.class_of == {2: DOG}
    assert labels.notes['objects without a pixel'] == 1
    savemat(inst, dict(GTcls=1))
    with pytest.raises(ValueError, match=r'expected the structure GTinst .*GTcls'):
        read_sbd_labels(inst, cls)
    inst.write_bytes(b'MATLAB 5.0 MAT-file' + bytes(200))
    with pytest.raises(ValueError, match=r'000002.mat: .*MATLAB 5'):
        read_sbd_labels(inst, cls)


def test_errors_of_the_layout(layout, tmp_path):
    with pytest.raises(FileNotFoundError, match='folder of VOC 2012'):
        find_layout(tmp_path / 'nothing')
    with pytest.raises(FileNotFoundError, match='folder of SBD'):
        find_layout(layout.voc, tmp_path / 'nothing')
    (layout.voc / 'JPEGImages/2007_000032.jpg').unlink()
    with pytest.raises(ConversionError, match=r'000032.jpg: the image is missing'):
        convert_split(layout, 'train', tmp_path / 'a.json')
    Image.new('RGB', (9, 9)).save(layout.voc / 'JPEGImages/2007_000032.jpg')
    with pytest.raises(ConversionError, match='60 x 40 pixels .* is 9 x 9'):
        convert_split(layout, 'train', tmp_path / 'a.json')
    assert not (tmp_path / 'a.json').exists()
    (layout.voc / 'Annotations/2007_000032.xml').write_text('<annotation>')
    Image.new('RGB', (WIDTH, HEIGHT)).save(layout.voc / 'JPEGImages/2007_000032.jpg')
    with pytest.raises(ConversionError, match=r'000032.xml: is no readable XML'):
        convert_split(layout, 'train', tmp_path / 'a.json')


def test_command_line(roots, tmp_path, capsys):
    voc, sbd = roots
    run_tool(voc, '--sbd', sbd, '--split', 'train_aug', 'val', '--workers', 1)
    folder = voc / 'VOC2012/annotations'
    names = {file.name for file in folder.iterdir()}
    assert names == {'instances_train_aug.json', 'instances_val.json'}
    captured = capsys.readouterr()
    assert '3 images (1 with masks of VOC, 2 of SBD), 9 objects' in captured.out
    assert 'warning: 1 images, but VOC 2012 val has 1449' in captured.err
    with pytest.raises(SystemExit) as error:
        run_tool(voc, '--split', 'train_aug', '--out-dir', tmp_path, '--workers', 1)
    assert '--sbd' in str(error.value)


def test_published_clicks(roots, layout, tmp_path, capsys):
    clicks = tmp_path / 'whats_the_point.json'
    given = {
        '2007_000032': [
            dict(cls=PERSON, x=7.9, y=20.2, rank=1),
            dict(cls=CAR, x=WIDTH, y=25),
            dict(cls=CAR, x=45, y=25),
        ]
    }
    clicks.write_text(json.dumps(given))
    run_tool(layout.voc, '--split', 'train', '--clicks', clicks)
    out = layout.voc / 'weak/points_train.json'
    captured = capsys.readouterr()
    assert '1 images, 2 clicks' in captured.out
    assert '1 clicks outside their image' in captured.err
    dataset = CocoWeakDataset(
        ann_file=str(out),
        data_prefix=dict(img=str(layout.voc / 'JPEGImages')),
        metainfo=dict(classes=VOC_CLASSES),
        supervision='points',
    )
    info = dataset.get_data_info(0)
    assert info['img_id'] == 2007000032
    points = [(i['bbox_label'], *i['point']) for i in info['instances']]
    assert points == [(PERSON - 1, 7, 20), (CAR - 1, 45, 25)]
    assert info['tags'] == [CAR - 1, PERSON - 1]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (
            {'2007_000032': [dict(cls=21, x=1, y=1)]},
            "'2007_000032': click 1 has cl.* 21",
        ),
        ({'2007_000032': [dict(cls=1, x=1)]}, 'click 1 must have cls, x and y'),
        ({'2007_000032': [dict(cls=1, x='a', y=1)]}, "click 1 lies at 'a'"),
        ({'2007_000032': 3}, 'expected a list of clicks'),
        ({'000032': []}, "none of the 1 images asked for; its first image is '000032'"),
        ([1], 'expected an object from image names'),
    ],
)
def test_broken_clicks_are_named(layout, tmp_path, content, message):
    clicks = tmp_path / 'clicks.json'
    clicks.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'clicks.json: .*{message}'):
        convert_clicks(layout, clicks, 'train', tmp_path / 'points.json')
