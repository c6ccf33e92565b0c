"""Tags of the crops of an image, from the converter to the dataset."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.coco2weak import convert_file
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.mixture import Share, mix_file
from mmwsis.formats.coco_masks import encode_mask
from mmwsis.ops import crop_grid
from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/coco2weak.py'
CATEGORIES = [
    dict(id=8, name='car', isthing=1),
    dict(id=3, name='person', isthing=1),
    dict(id=21, name='road', isthing=0),
    dict(id=40, name='sky', isthing=0),
]
CROP = (12, 16)


@pytest.fixture
def panoptic(tmp_path):
    """Two images of random rectangles, with a crowd and pixels of no label."""
    images, annotations, classes = [], [], {}
    (tmp_path / 'panoptic').mkdir()
    for image_id, size in ((5, (20, 40)), (6, (12, 16))):
        rng = np.random.default_rng(image_id)
        ids = np.zeros(size, np.int64)
        segments = []
        for number in range(1, 6):
            y, x = (rng.integers(0, side - 3) for side in size)
            ids[y : y + rng.integers(3, 12), x : x + rng.integers(3, 20)] = number
        for number, category in enumerate((40, 21, 8, 8, 3), start=1):
            rows, columns = np.nonzero(ids == number)
            if len(rows):
                x, y = int(columns.min()), int(rows.min())
                box = [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]
                segments.append(
                    dict(
                        id=number, category_id=category, iscrowd=int(number == 4),
                        bbox=box, area=len(rows),
                    )
                )  # fmt: skip
        pixels = np.stack([ids, 0 * ids, 0 * ids], -1).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'panoptic/{image_id}.png')
        height, width = size
        images.append(
            dict(id=image_id, file_name=f'{image_id}.jpg', height=height, width=width)
        )
        annotations.append(
            dict(image_id=image_id, file_name=f'{image_id}.png', segments_info=segments)
        )
        lookup = {s['id']: s['category_id'] for s in segments}
        classes[image_id] = np.vectorize(lambda i, of=lookup: of.get(i, -1))(ids)
    document = dict(images=images, annotations=annotations, categories=CATEGORIES)
    path = tmp_path / 'panoptic.json'
    path.write_text(json.dumps(document))
    return path, classes


def shown(classes, wanted=(3, 8, 21, 40)):
    """Classes of a map of category ids in each crop, the slow way."""
    return [
        [c for c in wanted if (classes[y1:y2, x1:x2] == c).any()]
        for x1, y1, x2, y2 in crop_grid(classes.shape, CROP).tolist()
    ]


def write(path, *levels, **options):
    outputs = {level: path.parent / f'{level.label}.json' for level in levels}
    return convert_file(path, outputs, **options)


@pytest.mark.parametrize('workers', [1, 2])
def test_panoptic_maps_say_the_classes_of_every_crop(panoptic, workers):
    path, classes = panoptic
    levels = (Supervision.IMAGE_TAGS, Supervision.BOXES, Supervision.MASKS)
    for written in write(
        path, *levels, crop_size=CROP, run=RunOptions(workers)
    ).values():
        assert [im['crop_tags']['tags'] for im in written['images']] == [
            shown(classes[5]),
            shown(classes[6]),
        ]
        assert {tuple(im['crop_tags']['size']) for im in written['images']} == {CROP}


def test_masks_say_the_objects_of_every_crop(panoptic, tmp_path):
    path, classes = panoptic
    masks = write(path, Supervision.MASKS)[Supervision.MASKS]
    instances = tmp_path / 'instances.json'
    for image in masks['images']:
        del image['tags']
    instances.write_text(json.dumps(masks))
    written = write(instances, Supervision.IMAGE_TAGS, crop_size=CROP)
    (weak,) = written.values()
    for image in weak['images']:
        assert image['crop_tags']['tags'] == shown(classes[image['id']], (3, 8))


def test_stuff_needs_the_panoptic_file(panoptic, tmp_path):
    path, _ = panoptic
    write(path, Supervision.MASKS)
    with pytest.raises(
        ValueError, match=r'image id 5 has the tags \[21.*, but no mask says in which'
    ):
        convert_file(
            tmp_path / 'masks.json',
            {Supervision.BOXES: tmp_path / 'weak.json'},
            crop_size=CROP,
        )
    assert not (tmp_path / 'weak.json').exists()


def test_crops_larger_than_an_image_are_refused(panoptic):
    path, _ = panoptic
    with pytest.raises(
        ValueError,
        match=r'image id 6 of 12 x 16 pixels \(height x width\) is smaller than a crop '
        r'of 13 x 16 \(1 such images\); give smaller --crop-tags',
    ):
        write(path, Supervision.BOXES, crop_size=(13, 16))


def test_the_command(panoptic, tmp_path, monkeypatch, capsys):
    path, classes = panoptic
    out = tmp_path / 'weak.json'
    command = [str(TOOL), str(path), '--level', 'boxes', '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', [*command, '--workers', '1', '--crop-tags', '12'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(TOOL), run_name='__main__')
    assert '--crop-tags: expected the height and width of a crop' in (
        capsys.readouterr().err
    )
    monkeypatch.setattr(
        sys, 'argv', [*command, '--workers', '1', '--crop-tags', '12x16']
    )
    runpy.run_path(str(TOOL), run_name='__main__')
    assert json.loads(out.read_text())['images'][0]['crop_tags'] == dict(
        size=[12, 16], tags=shown(classes[5])
    )


def dataset_of(file, supervision, names):
    return DATASETS.build(
        dict(
            type='mmwsis.CocoWeakDataset',
            supervision=supervision,
            ann_file=str(file),
            data_prefix=dict(img=''),
            metainfo=dict(classes=names),
            test_mode=True,
        )
    )


@pytest.mark.parametrize('level', Supervision)
def test_every_level_reads_labels_of_its_classes(panoptic, level):
    path, classes = panoptic
    write(path, level, crop_size=CROP)
    info = dataset_of(
        path.parent / f'{level.label}.json', level.label, ('person', 'road', 'car')
    )[0]
    labels = {3: 0, 21: 1, 8: 2}
    assert info['crop_tags']['tags'] == [
        sorted(labels[one] for one in tags if one in labels)
        for tags in shown(classes[5])
    ]
    assert info['crop_tags']['size'] == CROP


def test_a_mixture_keeps_them(panoptic, tmp_path):
    path, classes = panoptic
    write(path, Supervision.MASKS, crop_size=CROP)
    shares = [Share(Supervision.MASKS, 1), Share(Supervision.BOXES, None)]
    mixed = mix_file(tmp_path / 'masks.json', tmp_path / 'mixed.json', shares)
    assert [im['crop_tags']['tags'] for im in mixed['images']] == [
        shown(classes[5]),
        shown(classes[6]),
    ]


def test_a_panoptic_file_is_mixed_directly(panoptic, tmp_path, monkeypatch):
    """Objects of one image have masks, those of the other boxes; both keep all tags."""
    path, classes = panoptic
    out = tmp_path / 'mixed.json'
    options = ['--masks', '1', '--boxes', 'rest', '--crop-tags', '12x16']
    command = ['mix_supervision.py', str(path), *options, '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', command)
    runpy.run_path(str(TOOL.with_name('mix_supervision.py')), run_name='__main__')
    mixed = json.loads(out.read_text())
    level = {image['id']: image['supervision'] for image in mixed['images']}
    assert sorted(level.values()) == ['boxes', 'masks']
    for image in mixed['images']:
        assert image['crop_tags']['tags'] == shown(classes[image['id']])
        assert {21, 40} & {*image['tags']}
    for annotation in mixed['annotations']:
        is_full = level[annotation['image_id']] == 'masks'
        assert ('segmentation' in annotation) == is_full


def test_masks_as_rle_and_polygons_give_the_same(tmp_path):
    mask = np.zeros((20, 40), bool)
    mask[2:9, 30:38] = True
    base = dict(image_id=1, category_id=3, iscrowd=0)
    images = [dict(id=1, file_name='a.jpg', height=20, width=40)]
    tags = []
    for segmentation in (encode_mask(mask), [[30, 2, 38, 2, 38, 9, 30, 9]]):
        coco = dict(
            images=images,
            annotations=[dict(base, id=1, segmentation=segmentation)],
            categories=CATEGORIES,
        )
        (tmp_path / 'a.json').write_text(json.dumps(coco))
        outputs = {Supervision.IMAGE_TAGS: tmp_path / 'b.json'}
        run = RunOptions(overwrite=True)
        (weak,) = convert_file(
            tmp_path / 'a.json', outputs, crop_size=CROP, run=run
        ).values()
        tags.append(weak['images'][0]['crop_tags']['tags'])
    assert tags[0] == tags[1] == shown(np.where(mask, 3, 0))
