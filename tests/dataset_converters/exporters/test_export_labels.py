"""Every format: written, read back by our importers, compared mask by mask."""

import dataclasses
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.exporters.export_labels import (
    FORMATS,
    ExportSettings,
    export_labels,
)
from mmwsis.dataset_converters.exporters.objects import Abilities
from mmwsis.dataset_converters.exporters.selection import export_image, select
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    import_labels,
)
from mmwsis.formats.coco_masks import checked_rle

from .conftest import HEIGHT, NAMES, WIDTH, annotation, bitmap

TOOL = Path(__file__).parents[3] / 'tools/export_labels.py'
WITH_IDS = [to for to in FORMATS if to not in ('yolo-seg', 'coco')]
AGAIN = RunOptions(overwrite=True)


def change(path, edit):
    coco = json.loads(path.read_text())
    edit(coco)
    path.write_text(json.dumps(coco))


def import_back(to, out, images, **settings):
    path = out / 'tasks.json' if to == 'labelstudio' else out
    own = ImportSettings(
        classes=NAMES, img_dir=images, keep_ids=True, predictions=True, **settings
    )
    return import_labels(to, path, out.parent / 'back.json', own, run=AGAIN).coco


@pytest.mark.parametrize('shape', [None, 'polygon', 'mask'])
@pytest.mark.parametrize('to', FORMATS)
def test_round_trip_loses_nothing(labels, tmp_path, to, shape):
    if (to, shape) == ('yolo-seg', 'mask'):
        pytest.skip('YOLO has no masks')
    file, images = labels
    settings = ExportSettings(img_dir=images, shape=shape)
    out, report = tmp_path / 'out', tmp_path / 'report.json'
    made = export_labels(file, to, out, settings, report=report)
    figures = made.round_trip
    crowd = 0 if to == 'yolo-seg' else 1
    assert made.objects == figures['objects'] == figures['back_as_one'] == 8 + crowd
    assert figures['iou']['min'] == 1.0 and figures['lost'] == 0
    assert [number for number, _ in made.left_out] == [3] * (1 - crowd)
    assert json.loads(report.read_text())['annotations'] == made.rows


@pytest.mark.parametrize('to', WITH_IDS)
def test_ids_classes_crowd_tags_and_scores_come_back(labels, tmp_path, to):
    file, images = labels
    export_labels(file, to, tmp_path / 'out', ExportSettings(img_dir=images))
    before, after = (
        json.loads(file.read_text()),
        import_back(to, tmp_path / 'out', images),
    )
    assert after['info']['mmwsis']['ids_kept'] is True
    names = {one['id']: one['name'] for one in before['categories']}
    found = {one['id']: one for one in after['annotations']}
    assert found.keys() == {one['id'] for one in before['annotations']}
    for one in before['annotations']:
        back = found[one['id']]
        assert NAMES[back['category_id'] - 1] == names[one['category_id']]
        assert back['iscrowd'] == one['iscrowd'] and 'is_new' not in back
        score = back.get('attributes', {}).get('score')
        assert one.get('score') == (None if score is None else float(score))
    tags = {one['file_name']: one['tags'] for one in after['images']}
    assert tags == {
        'day 1/turned é.jpg': [1, 2],
        'plain.png': [1, 2, 3],
        'empty.png': [],
    }


def test_new_deleted_and_copied_shapes(labels, tmp_path):
    file, images = labels
    out = tmp_path / 'out'
    export_labels(file, 'labelme', out, ExportSettings(img_dir=images))
    document = json.loads((out / 'plain.json').read_text())
    crowd, *polygons = document['shapes']
    new = dict(crowd, group_id=None)
    grouped = dict(crowd, group_id=1)  # by the annotator's own hand
    document['shapes'] = [*polygons, new, grouped]
    (out / 'plain.json').write_text(json.dumps(document))
    found = import_back('labelme', out, images)
    image = next(
        one['id'] for one in found['images'] if one['file_name'] == 'plain.png'
    )
    own = [one for one in found['annotations'] if one['image_id'] == image]
    assert [(one['id'], one.get('is_new')) for one in own] == [
        (4, None), (143, True), (144, True)
    ]  # fmt: skip


def test_an_id_in_two_images_is_refused(labels, tmp_path):
    file, images = labels
    out = tmp_path / 'out'
    export_labels(file, 'cvat', out, ExportSettings(img_dir=images))
    text = (out / 'annotations.xml').read_text()
    (out / 'annotations.xml').write_text(text.replace('>4<', '>100<'))
    with pytest.raises(ValueError, match="image 'plain.png'.* id 100.*take the id off"):
        import_back('cvat', out, images)


@pytest.mark.parametrize('parts', ['bridge', 'split'])
def test_yolo_parts(labels, tmp_path, parts):
    file, images = labels
    settings = ExportSettings(img_dir=images, parts=parts)
    made = export_labels(
        file, 'yolo-seg', tmp_path / 'out', settings, report=tmp_path / 'report.json'
    )
    became = {row['annotation_id']: row['became'] for row in made.rows}
    assert became[107] == became[114] == (1 if parts == 'bridge' else 2)
    assert made.round_trip['iou']['min'] == 1.0
    assert made.round_trip['iou_opencv']['mean'] < 1.0
    text = (tmp_path / 'out/train/labels/day 1/turned é.txt').read_text()
    assert len(text.splitlines()) == sum(n for i, n in became.items() if i >= 100)


def test_a_tolerance_costs_what_the_report_says(labels, tmp_path):
    yy, xx = np.mgrid[:HEIGHT, :WIDTH]
    disc = ((yy - 15) ** 2 + (xx - 20) ** 2 < 13**2).astype(np.uint8)
    file, images = labels
    change(file, lambda coco: coco.update(annotations=[annotation(1, 5, 3, disc)]))
    rows = []
    for tolerance in (0, 1):
        settings = ExportSettings(img_dir=images, tolerance=tolerance)
        out, report = tmp_path / f'{tolerance}', tmp_path / f'{tolerance}.json'
        rows += export_labels(file, 'labelme', out, settings, report=report).rows
    assert rows[0]['iou'] == 1.0 and 0.9 < rows[1]['iou'] < 1.0
    assert rows[1]['corners'] < rows[0]['corners'] / 2


def test_a_selection(labels, tmp_path):
    file, images = labels
    settings = ExportSettings(img_dir=images, images='copy')
    made = export_labels(file, 'labelme', tmp_path / 'a', settings, annotation_ids=[3])
    assert (made.images, made.objects) == (1, 1)
    names = sorted(path.name for path in (tmp_path / 'a').iterdir())
    assert names == ['README.txt', 'plain.json', 'plain.png']
    made = export_labels(file, 'coco', tmp_path / 'b', None, [3], [11])
    assert (made.images, made.objects) == (2, 1)
    with pytest.raises(ValueError, match='no annotation of id 77'):
        export_labels(file, 'coco', tmp_path / 'c', annotation_ids=[3, 77])


def test_two_splits(labels, tmp_path):
    file, images = labels
    settings = ExportSettings(img_dir=images, val=file, images='link')
    for to, names in (
        ('coco', ['train/_annotations.coco.json', 'valid/plain.png']),
        ('yolo-seg', ['data.yaml', 'valid/labels/plain.txt', 'train/images/plain.png']),
    ):
        report = tmp_path / f'{to}.json'
        made = export_labels(file, to, tmp_path / to, settings, report=report)
        assert all((tmp_path / to / name).is_file() for name in names)
        assert made.round_trip['back_as_one'] == made.objects


BROKEN = {
    'no masks': (
        lambda coco: coco['annotations'][0].pop('segmentation'),
        'annotation id 100 of image id 5: it has no mask',
    ),
    'damaged': (
        lambda coco: coco['annotations'][0]['segmentation'].update(size=[3, 3]),
        r'annotation id 100 of image id 5: the RLE has size \[3, 3\]',
    ),
    'panoptic': (
        lambda coco: coco.update(annotations=[dict(image_id=5, segments_info=[])]),
        'panoptic',
    ),
    'no size': (lambda coco: coco['images'][0].pop('width'), 'image id 5'),
    'other size': (lambda coco: coco['images'][0].update(width=30), 'these the images'),
    'no image': (
        lambda coco: coco['images'][0].update(file_name='no.jpg'),
        'image id 5.*no.jpg does not exist',
    ),
    'outside': (
        lambda coco: coco['images'][0].update(file_name='../a.jpg'),
        'below the image folder',
    ),
    'no class': (
        lambda coco: coco['categories'][0].update(name='__ignore__'),
        "class '__ignore__'",
    ),
    'one class': (
        lambda coco: coco['categories'][0].update(name='nothing  of it'),
        'differ in blanks alone',
    ),
}


@pytest.mark.parametrize('edit, message', BROKEN.values(), ids=BROKEN)
def test_broken_input_leaves_nothing(labels, tmp_path, edit, message):
    file, images = labels
    change(file, edit)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises((ValueError, OSError), match=message) as error:
        export_labels(file, 'labelme', tmp_path / 'out', ExportSettings(img_dir=images))
    assert 'pseudo.json' in str(error.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_skip_invalid(labels, tmp_path):
    file, _ = labels
    change(file, lambda coco: coco['annotations'][0].pop('segmentation'))
    run = RunOptions(skip_invalid=True)
    made = export_labels(file, 'coco', tmp_path / 'out', run=run)
    assert made.objects == 8 and made.left_out[0][0] == 100


def test_yolo_refuses_what_it_cannot_hold(labels, tmp_path):
    file, _ = labels
    change(file, lambda coco: coco['images'][1].update(file_name='empty.jpg'))
    with pytest.raises(ValueError, match='empty.jpg and empty.png differ'):
        export_labels(file, 'yolo-seg', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match='report needs the images'):
        export_labels(file, 'yolo-seg', tmp_path / 'out', report=tmp_path / 'r.json')


def test_only_exports_are_replaced(labels, tmp_path):
    file, _ = labels
    out = tmp_path / 'out'
    export_labels(file, 'coco', out)
    with pytest.raises(FileExistsError, match='--overwrite'):
        export_labels(file, 'coco', out)
    export_labels(file, 'labelme', out, run=AGAIN)
    assert not (out / 'labels.json').exists()
    (out / 'README.txt').unlink()
    with pytest.raises(FileExistsError, match='not made by an export'):
        export_labels(file, 'coco', out, run=AGAIN)


def test_the_command(labels, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location('export_labels_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    file, images = labels
    command = [file, '--to', 'labelme', '--img-dir', images, '--workers', 1]
    command = [str(one) for one in (*command, '--out', tmp_path / 'out')]
    tool.main([*command, '--report', str(tmp_path / 'r.json')])
    said = capsys.readouterr()
    assert 'of 9 objects 9 came back as one' in said.out
    assert '0 in another class' in said.out and 'EXIF' not in said.err
    more = ['--images', 'link', '--tolerance', '1', '--overwrite']
    tool.main([*command, *more])
    said = capsys.readouterr()
    assert 'tolerance 1: 9 objects, IoU with their masks mean 1.0000' in said.out
    assert '1 images are turned by EXIF data' in said.err
    with pytest.raises(SystemExit, match=r'error: .*out exists; give another name'):
        tool.main(command)


def test_bitmaps_in_coco_are_those_of_the_file(labels, tmp_path):
    file, _ = labels
    export_labels(file, 'coco', tmp_path / 'out')
    coco = json.loads((tmp_path / 'out/labels.json').read_text())
    for one in coco['annotations']:
        rle = checked_rle(one['segmentation'], HEIGHT, WIDTH)
        assert rle['size'] == [HEIGHT, WIDTH]
    assert bitmap((4, 4, 9, 9)).sum() == coco['annotations'][7]['area']


@pytest.mark.parametrize('images', ['none', 'link', 'copy'])
@pytest.mark.parametrize('to', FORMATS)
def test_the_report_finds_the_images_wherever_they_are(labels, tmp_path, to, images):
    file, folder = labels
    settings = ExportSettings(img_dir=folder, images=images)
    out, report = tmp_path / 'out', tmp_path / 'report.json'
    made = export_labels(file, to, out, settings, report=report)
    figures = made.round_trip
    assert figures['back_as_one'] == made.objects == figures['objects'] > 0
    assert figures['iou']['min'] == 1.0 and figures['other_class'] == 0
    assert made.turned == (0 if images == 'none' else 1)
    told = json.loads(report.read_text())
    assert (told['format'], told['shape'], told['image_files']) == (to, None, images)
    assert told['tolerance'] == 0 and 'simplified' not in told


def test_copies_are_upright(labels, tmp_path):
    file, folder = labels
    turned = 'day 1/turned é.jpg'
    with Image.open(folder / turned) as image:
        assert image.size == (HEIGHT, WIDTH)
    settings = ExportSettings(img_dir=folder, images='copy')
    export_labels(file, 'yolo-seg', tmp_path / 'out', settings)
    with Image.open(tmp_path / 'out/train/images' / turned) as image:
        assert image.size == (WIDTH, HEIGHT) and image.getexif().get(0x0112, 1) == 1
    copy = tmp_path / 'out/train/images/plain.png'
    assert copy.read_bytes() == (folder / 'plain.png').read_bytes()


@pytest.mark.parametrize('to', ['labelme', 'yolo-seg'])
def test_two_images_of_one_stem(labels, tmp_path, to):
    file, _ = labels
    change(file, lambda coco: coco['images'][2].update(file_name='plain.jpg'))
    with pytest.raises(ValueError, match=r'plain.png and plain.jpg differ.*one label'):
        export_labels(file, to, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    assert export_labels(file, 'cvat', tmp_path / 'out').images == 3


@pytest.mark.parametrize('folder', ['images', 'labels'])
def test_folders_that_yolo_reads_otherwise(labels, tmp_path, folder):
    file, _ = labels
    name = f'{folder}/plain.png'
    change(file, lambda coco: coco['images'][1].update(file_name=name))
    with pytest.raises(ValueError, match=f'{name}: .*can be named {folder}'):
        export_labels(file, 'yolo-seg', tmp_path / 'out')
    assert export_labels(file, 'labelme', tmp_path / 'out').images == 3


@pytest.mark.parametrize('number', ['a7', '7', -7])
@pytest.mark.parametrize('to', WITH_IDS)
def test_ids_that_would_not_come_back(labels, tmp_path, to, number):
    file, _ = labels
    change(file, lambda coco: coco['annotations'][1].update(id=number))
    before = sorted(os.listdir(tmp_path))
    place = f'pseudo.json: annotation id {number!r} of image id 5: only whole ids'
    with pytest.raises(ValueError, match=place):
        export_labels(file, to, tmp_path / 'out')
    assert sorted(os.listdir(tmp_path)) == before
    for other in ('coco', 'yolo-seg'):
        export_labels(file, other, tmp_path / other)


def test_classes_come_back_in_the_spelling_of_tools(labels, tmp_path):
    file, images = labels
    change(file, lambda coco: coco['categories'][0].update(name='traffic  light'))
    change(file, lambda coco: coco['categories'][1].update(name='e\u0301te\u0301'))
    for to in FORMATS:
        settings = ExportSettings(img_dir=images)
        report = tmp_path / f'{to}.json'
        made = export_labels(file, to, tmp_path / to, settings, report=report)
        assert made.round_trip['back_as_one'] == made.objects
        assert made.round_trip['other_class'] == 0


def test_another_class_in_the_report(labels, tmp_path):
    """Such as of a file that somebody edited."""
    from mmwsis.dataset_converters.exporters.round_trip import compare, summarise

    file, _ = labels
    coco = json.loads(file.read_text())
    own = select(coco, 'labels', None, None)
    names = {one['id']: one['name'] for one in coco['categories']}
    settings = ExportSettings()
    images = [
        export_image(job, names, Abilities(), settings, None, 'labels') for job in own
    ]
    coco['annotations'][0]['category_id'] = 12
    rows = compare(images, coco, has_ids=True)
    assert rows[0]['other_class'] == NAMES[2]
    assert summarise(rows)['other_class'] == 1


def test_a_tolerance_without_a_report(labels, tmp_path):
    file, _ = labels
    settings = ExportSettings(tolerance=1)
    made = export_labels(file, 'labelme', tmp_path / 'a', settings)
    assert made.simplified['objects'] == 9 and made.simplified['bitmaps'] == 0
    assert 0 < made.simplified['min_iou'] <= made.simplified['mean_iou'] <= 1
    # In COCO bitmaps stay bitmaps, which is said.
    made = export_labels(file, 'coco', tmp_path / 'b', settings)
    assert (made.simplified['objects'], made.simplified['bitmaps']) == (1, 8)
    assert made.document()['simplified'] == made.simplified
    with pytest.raises(ValueError, match='--tolerance or --shape mask'):
        masks = ExportSettings(tolerance=1, shape='mask')
        export_labels(file, 'cvat', tmp_path / 'c', masks)


def test_a_report_that_cannot_be_written(labels, tmp_path):
    file, images = labels
    settings = ExportSettings(img_dir=images)
    report = tmp_path / 'pseudo.json/report.json'
    with pytest.raises(OSError, match='pseudo.json is no writable folder'):
        export_labels(file, 'coco', tmp_path / 'out', settings, report=report)
    with pytest.raises(ValueError, match='is the folder of the export'):
        out = tmp_path / 'out'
        export_labels(file, 'coco', out, settings, report=out)
    assert not (tmp_path / 'out').exists()


def test_a_kill_while_a_folder_is_replaced(labels, tmp_path, monkeypatch):
    file, _ = labels
    out = tmp_path / 'out'
    export_labels(file, 'labelme', out)
    (out / 'plain.json').write_text('{}')  # what somebody corrected
    replace = os.replace

    def interrupted(source, target):
        if target == out and source.name == 'out':
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, 'replace', interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_labels(file, 'labelme', out, run=AGAIN)
    monkeypatch.undo()
    assert (out / 'plain.json').read_text() == '{}'
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_dir()) == [
        'images',
        'out',
    ]
    # Killed in between, nobody can clean up: the old folder lies beside its place.
    out.rename(tmp_path / 'out.replaced')
    with pytest.raises(FileExistsError, match='out.replaced is what an export was'):
        export_labels(file, 'labelme', out, run=AGAIN)
    assert (tmp_path / 'out.replaced/plain.json').read_text() == '{}'


def copied_labelme(out):
    document = json.loads((out / 'plain.json').read_text())
    shapes = document['shapes']
    copy = json.loads(json.dumps(shapes[0]))
    copy['points'] = [[x + 20, y + 12] for x, y in copy['points']]
    document['shapes'] = [*shapes, copy]
    (out / 'plain.json').write_text(json.dumps(document))


def copied_cvat(out):
    text = (out / 'annotations.xml').read_text()
    head, found, tail = text.partition('<image id="1"')
    start, end = tail.index('<polygon'), tail.index('</polygon>') + len('</polygon>')
    both = tail[:end] + tail[start:end] + tail[end:]
    (out / 'annotations.xml').write_text(head + found + both)


def copied_labelstudio(out):
    tasks = json.loads((out / 'tasks.json').read_text())
    results = tasks[1]['predictions'][0]['result']
    results.insert(0, dict(results[0], id='abc'))
    (out / 'tasks.json').write_text(json.dumps(tasks))


@pytest.mark.parametrize('copied', [copied_labelme, copied_cvat, copied_labelstudio])
def test_a_copy_is_not_taken_for_a_part_in_silence(labels, tmp_path, copied):
    file, images = labels
    to, out = copied.__name__.removeprefix('copied_'), tmp_path / 'out'
    export_labels(file, to, out, ExportSettings(img_dir=images, shape='polygon'))
    path = out / 'tasks.json' if to == 'labelstudio' else out
    settings = ImportSettings(
        classes=NAMES, img_dir=images, keep_ids=True, predictions=True
    )
    for expected in (0, 1):
        made = import_labels(to, path, tmp_path / 'back.json', settings, run=AGAIN)
        issues = made.count('changed')
        assert issues['object of more shapes than were exported'] == expected
        assert not any('parts' in (x.get('attributes') or ()) for x in objects(made))
        if not expected:
            copied(out)
    text = next(str(one) for one in made.issues if 'more shapes' in one.what)
    assert 'exported as 1 shape(s) and has 2' in text
    strict = dataclasses.replace(settings, strict=True)
    with pytest.raises(ValueError, match='take its id'):
        import_labels(to, path, tmp_path / 'back.json', strict, run=AGAIN)


def objects(made):
    return made.coco['annotations']
