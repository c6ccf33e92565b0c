"""Export, edit as a person does in LabelMe, import, apply."""

import json

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.correction_files import apply_corrections
from mmwsis.dataset_converters.exporters.export_labels import export_labels
from mmwsis.dataset_converters.exporters.settings import ExportSettings
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    import_labels,
)
from mmwsis.formats.coco_masks import annotation_mask, encode_mask

HEIGHT, WIDTH = 48, 64
CLASSES = ('bolt', 'red nut')


def scene():
    """Masks of objects by id: one with a hole, one in two parts, one small."""
    masks = {key: np.zeros((HEIGHT, WIDTH), np.uint8) for key in (7, 8, 9, 21, 22)}
    masks[7][4:20, 5:30] = 1
    masks[7][8:12, 10:16] = 0  # a hole
    masks[8][30:40, 5:15] = 1
    masks[8][30:40, 20:25] = 1  # a second part
    masks[9][2:4, 50:53] = 1
    masks[21][10:30, 10:40] = 1
    masks[22][35:45, 45:60] = 1
    return masks


@pytest.fixture
def project(tmp_path):
    masks = scene()
    annotations = []
    for key, mask in masks.items():
        ys, xs = np.nonzero(mask)
        box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
        annotations.append(
            dict(
                id=key,
                image_id=1 if key < 20 else 5,
                category_id=1 + key % 2,
                segmentation=encode_mask(mask),
                bbox=[int(value) for value in box],
                area=int(mask.sum()),
                iscrowd=0,
                score=0.5,
            )
        )
    coco = dict(
        info=dict(mmwsis=dict(method='EXITS', checkpoint_sha256='0')),
        images=[
            dict(id=key, file_name=f'line a/{key}.png', width=WIDTH, height=HEIGHT)
            for key in (1, 3, 5)
        ],
        annotations=annotations,
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)],
    )
    (tmp_path / 'pseudo.json').write_text(json.dumps(coco))
    (tmp_path / 'images/line a').mkdir(parents=True)
    for image in coco['images']:
        Image.new('RGB', (WIDTH, HEIGHT)).save(tmp_path / 'images' / image['file_name'])
    return tmp_path


def export(project, **more):
    settings = ExportSettings(img_dir=project / 'images', images='link')
    folder = project / 'to_correct'
    export_labels(project / 'pseudo.json', 'labelme', folder, settings, **more)
    return folder


def bring_back(project):
    settings = ImportSettings(
        classes=CLASSES, img_dir=project / 'images', keep_ids=True
    )
    back = project / 'back.json'
    run = RunOptions(overwrite=True)
    import_labels('labelme', project / 'to_correct', back, settings, run=run)
    out = project / 'mixed.json'
    summary = apply_corrections(project / 'pseudo.json', back, out, run=run)
    mixed = {one['id']: one for one in json.loads(out.read_text())['annotations']}
    return summary, mixed, json.loads(out.read_text())['images']


def edit(folder, name, change):
    (file,) = folder.rglob(f'{name}.json')
    document = json.loads(file.read_text())
    document['shapes'] = change(document['shapes'])
    file.write_text(json.dumps(document))


def mask_of(annotation):
    return annotation_mask(annotation['segmentation'], (HEIGHT, WIDTH), '')


def test_nothing_edited(project):
    before = json.loads((project / 'pseudo.json').read_text())['annotations']
    export(project)
    summary, mixed, images = bring_back(project)
    assert summary['unchanged'] == summary['reviewed'] == 5
    assert summary['masks_drawn'] == 0
    for one in before:
        assert mixed[one['id']]['segmentation'] == one['segmentation']
    # The empty image, too, was looked at.
    assert [one.get('supervision') for one in images] == ['masks'] * 3


def test_moved_deleted_drawn_and_renamed(project):
    folder = export(project, image_ids=[1, 5])

    def in_first(shapes):
        kept = [shape for shape in shapes if shape['group_id'] != 9]  # deleted
        for shape in kept:
            if shape['group_id'] == 7 and shape['shape_type'] == 'polygon':
                shape['points'] = [[x + 3, y + 2] for x, y in shape['points']]
        new = dict(
            label='bolt',
            points=[[40, 20], [50, 20], [50, 30], [40, 30]],
            shape_type='polygon',
            group_id=None,
            flags={},
        )
        return [*kept, new]

    def in_last(shapes):
        for shape in shapes:
            if shape['group_id'] == 22:
                shape['label'] = 'red nut'
        return shapes

    edit(folder, '1', in_first)
    edit(folder, '5', in_last)
    summary, mixed, images = bring_back(project)
    assert list(mixed) == [7, 8, 21, 22, 23]
    counts = {key: summary[key] for key in ('changed', 'unchanged', 'deleted', 'added')}
    assert counts == dict(changed=2, unchanged=2, deleted=1, added=1)
    assert summary['other_class'] == 1
    assert mixed[22]['category_id'] == 2
    assert mask_of(mixed[23]).sum() == 100 and mixed[23]['category_id'] == 1
    assert mask_of(mixed[23])[20:30, 40:50].all()
    moved = mask_of(mixed[7])
    truth = scene()[7]
    assert moved[6:22, 8:33].sum() == moved.sum() >= truth.sum()
    assert (mask_of(mixed[8]) == scene()[8]).all()
    assert [one.get('supervision') for one in images] == ['masks', None, 'masks']


def test_a_group_of_ones_own_is_no_known_object(project):
    """Parts of a new object, grouped by hand under a number that looks like an id."""
    folder = export(project, image_ids=[5])

    def with_group(shapes):
        parts = [
            dict(
                label='bolt',
                points=[[x, 2], [x + 5, 2], [x + 5, 8], [x, 8]],
                shape_type='polygon',
                group_id=7,
                flags={},
            )
            for x in (2, 12)
        ]
        return [*shapes, *parts]

    edit(folder, '5', with_group)
    summary, mixed, _ = bring_back(project)
    assert (summary['added'], summary['unchanged']) == (1, 2)
    added = next(one for one in mixed.values() if one.get('correction') == 'added')
    assert added['id'] == 23 and added['image_id'] == 5
    assert mask_of(added).sum() == 60
    assert mixed[7]['image_id'] == 1 and 'correction' not in mixed[7]
