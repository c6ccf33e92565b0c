"""Every format: written, read back by our importers, compared mask by mask."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.exporters.export_labels import (
    FORMATS,
    ExportSettings,
    export_labels,
)
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
    assert 'of 9 objects 9 came back as one' in capsys.readouterr().out
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
