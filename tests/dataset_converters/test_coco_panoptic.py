"""Panoptic files, stuff tags and LVIS's federated labels through coco2weak."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.coco2weak import convert_file, derive_weak_coco
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.mixture import Share, mix_file
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.coco_masks import decode_segmentation
from mmwsis.structures.supervision import Supervision

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/coco2weak.py'
CATEGORIES = [
    dict(id=1, name='person', supercategory='person', isthing=1, color=[220, 20, 60]),
    dict(id=3, name='car', supercategory='vehicle', isthing=1, color=[0, 0, 142]),
    dict(id=187, name='sky-other-merged', supercategory='sky', isthing=0, color=[1, 2]),
    dict(id=193, name='grass-merged', supercategory='plant', isthing=0, color=[3, 4]),
]


def png_of(ids):
    pixels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def panoptic(tmp_path):
    """annotations/panoptic_val2017.json and its PNGs, with ids beyond 16 bits."""
    ids = np.zeros((30, 40), dtype=np.int64)  # 0: nothing labelled
    ids[:10] = 5_000_001  # sky
    ids[12:20, 4:9] = 300
    ids[14:28, 20:36] = 70_000
    ids[16:18, 22:24] = 0
    ids[28:, :5] = 9  # a crowd
    segments = [
        dict(id=5_000_001, category_id=187, iscrowd=0, bbox=[0, 0, 40, 10], area=400),
        dict(id=300, category_id=1, iscrowd=0, bbox=[4, 12, 5, 8], area=40),
        dict(id=70_000, category_id=3, iscrowd=0, bbox=[20, 14, 16, 14], area=220),
        dict(id=9, category_id=1, iscrowd=1, bbox=[0, 28, 5, 2], area=10),
    ]
    document = dict(
        info=dict(description='COCO 2018 Panoptic Dataset'),
        images=[
            dict(id=139, file_name='000000000139.jpg', height=30, width=40),
            dict(id=285, file_name='000000000285.jpg', height=6, width=8),
        ],
        annotations=[
            dict(image_id=285, file_name='000000000285.png', segments_info=[
                dict(id=7, category_id=193, iscrowd=0, bbox=[0, 0, 8, 6], area=48),
            ]),
            dict(image_id=139, file_name='000000000139.png', segments_info=segments),
        ],
        categories=CATEGORIES,
    )  # fmt: skip
    folder = tmp_path / 'annotations/panoptic_val2017'
    folder.mkdir(parents=True)
    png_of(ids).save(folder / '000000000139.png')
    png_of(np.full((6, 8), 7)).save(folder / '000000000285.png')
    path = tmp_path / 'annotations/panoptic_val2017.json'
    path.write_text(json.dumps(document))
    return path, document, ids


def convert(path, *levels, **options):
    outputs = {level: path.parent / f'{level.label}.json' for level in levels}
    return convert_file(path, outputs, **options)


def test_things_become_objects_and_stuff_becomes_tags(panoptic):
    path, document, ids = panoptic
    results = convert(path, *Supervision)
    for level in Supervision:
        written = load_coco(str(path.parent / f'{level.label}.json'), level)
        assert [im['tags'] for im in written['images']] == [[1, 3, 187], [193]]
        assert [c['isthing'] for c in written['categories']] == [1, 1, 0, 0]
        assert len(written['annotations']) == (3 if level else 0)
    masks = results[Supervision.MASKS]['annotations']
    assert [a['id'] for a in masks] == [1, 2, 3]
    assert [a['segment_id'] for a in masks] == [300, 70_000, 9]
    assert [a['iscrowd'] for a in masks] == [0, 0, 1]
    for annotation in masks:
        crop = decode_segmentation(annotation['segmentation'], 30, 40)
        full = np.zeros((30, 40), dtype=bool)
        (x, y), (h, w) = crop.offset, crop.mask.shape
        full[y : y + h, x : x + w] = crop.mask
        np.testing.assert_array_equal(full, ids == annotation['segment_id'])
    boxes = results[Supervision.BOXES]['annotations']
    assert [a['bbox'] for a in boxes] == [
        [4, 12, 5, 8], [20, 14, 16, 14], [0, 28, 5, 2]
    ]  # fmt: skip
    for level in (Supervision.POINTS, Supervision.BOXES, Supervision.IMAGE_TAGS):
        text = json.dumps(results[level])
        assert 'segmentation' not in text
        assert 'segment_id' not in text


def test_boxes_and_tags_need_no_png(panoptic):
    path, _, _ = panoptic
    for png in (path.parent / 'panoptic_val2017').iterdir():
        png.unlink()
    results = convert(path, Supervision.IMAGE_TAGS, Supervision.BOXES)
    assert len(results[Supervision.BOXES]['annotations']) == 3
    with pytest.raises(FileNotFoundError, match='000000000139.png.*image id 139'):
        convert(path, Supervision.POINTS)


def test_two_processes_write_the_same_bytes(panoptic, tmp_path):
    path, _, _ = panoptic
    for workers in (1, 2):
        outputs = {level: tmp_path / f'{workers}{level.label}' for level in Supervision}
        convert_file(path, outputs, run=RunOptions(workers))
    for level in Supervision:
        first, second = (tmp_path / f'{n}{level.label}' for n in (1, 2))
        assert first.read_bytes() == second.read_bytes()


def no_isthing(document):
    document['categories'][0] = dict(id=1, name='person')


def no_record(document):
    document['annotations'].pop()


def unknown_class(document):
    document['annotations'][1]['segments_info'][0]['category_id'] = 99


def absent_segment(document):
    document['annotations'][1]['segments_info'][1]['id'] = 12345


def other_size(document):
    document['images'][0]['width'] = 41


def no_area(document):
    document['annotations'][1]['segments_info'][2].pop('area')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (no_isthing, r"category id 1 has no \['isthing'\]"),
        (no_record, 'image id 139 has no entry'),
        (unknown_class, 'image id 139, segment 5000001: category_id 99'),
        (absent_segment, 'no pixel of segment 12345; .*image id 139'),
        (other_size, '000000000139.png is 40x30 pixels, but .*image id 139.* is 41x30'),
        (no_area, r"image id 139, segment 70000: \['area'\] is missing"),
    ],
)
def test_errors_name_file_image_and_segment_and_write_nothing(
    panoptic, damage, message
):
    path, document, _ = panoptic
    document = json.loads(json.dumps(document))
    damage(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message) as caught:
        convert(path, Supervision.POINTS)
    assert 'panoptic_val2017' in str(caught.value)
    assert not (path.parent / 'points.json').exists()


@pytest.fixture
def instances(panoptic):
    """instances_val2014.json of the same images under their names of 2014."""
    path, _, _ = panoptic
    coco = dict(
        images=[
            dict(
                id=139, file_name='COCO_val2014_000000000139.jpg', height=30, width=40
            ),
            dict(id=285, file_name='COCO_val2014_000000000285.jpg', height=6, width=8),
        ],
        categories=[
            dict(id=1, name='person', supercategory='person'),
            dict(id=3, name='car', supercategory='vehicle'),
        ],
        annotations=[
            dict(
                id=1017,
                image_id=139,
                category_id=3,
                iscrowd=0,
                bbox=[20, 14, 16, 14],
                area=224,
                segmentation=[[20, 14, 36, 14, 36, 28, 20, 28]],
            )
        ],
    )
    out = path.parent / 'instances_val2014.json'
    out.write_text(json.dumps(coco))
    return out, coco


def test_stuff_tags_join_the_objects_of_an_instances_file(panoptic, instances):
    path, _ = instances
    results = convert(
        path, Supervision.BOXES, Supervision.MASKS, stuff_tags=[panoptic[0]]
    )
    for result in results.values():
        # The person is the panoptic file's alone: thing tags follow the objects.
        assert [im['tags'] for im in result['images']] == [[3, 187], [193]]
        assert [c['isthing'] for c in result['categories']] == [1, 1, 0, 0]
        assert [a['id'] for a in result['annotations']] == [1017]
    assert 'segmentation' in results[Supervision.MASKS]['annotations'][0]
    assert 'segmentation' not in results[Supervision.BOXES]['annotations'][0]


def test_stuff_tags_that_do_not_fit_are_refused(panoptic, instances, tmp_path):
    path, coco = instances
    coco['images'].append(dict(id=9, file_name='9.jpg', height=3, width=3))
    path.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match=r'1 of 3 images .* \[9\]; COCO 2014'):
        convert(path, Supervision.BOXES, stuff_tags=[panoptic[0]])
    coco['images'].pop()
    coco['categories'][1]['name'] = 'lorry'
    path.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match="category id 3 is 'car'.*'lorry'"):
        convert(path, Supervision.BOXES, stuff_tags=[panoptic[0]])
    other = tmp_path / 'other.json'
    other.write_text(path.read_text())
    with pytest.raises(ValueError, match='needs a COCO panoptic JSON'):
        convert(path, Supervision.BOXES, stuff_tags=[other])


def test_masks_of_a_masks_file_are_refused(instances):
    with pytest.raises(ValueError, match='is a masks file already'):
        convert(instances[0], Supervision.MASKS)


def lvis():
    return dict(
        info=dict(description='LVIS v1'),
        images=[
            dict(
                id=1,
                coco_url='http://images.cocodataset.org/train2017/000000000001.jpg',
                height=30,
                width=40,
                neg_category_ids=[4],
                not_exhaustive_category_ids=[2, 3],
            )
        ],
        categories=[
            dict(
                id=k, name=name, frequency=group, synset=f'{name}.n.01',
                synonyms=[name], image_count=10 * k, instance_count=50 * k,
                **{'def': 'a thing'},
            )
            for k, (name, group) in enumerate(
                [('cat', 'f'), ('dog', 'c'), ('emu', 'r'), ('owl', 'r')], start=1
            )
        ],
        annotations=[
            dict(
                id=k, image_id=1, category_id=k, bbox=[2, 3, 10, 8], area=80,
                segmentation=[[2, 3, 12, 3, 12, 11, 2, 11]],
            )
            for k in (1, 2)
        ],
    )  # fmt: skip


def test_lvis_keeps_what_federated_training_needs(tmp_path):
    weak = derive_weak_coco(lvis(), [level for level in Supervision if level < 4])
    for level, document in weak.items():
        path = tmp_path / f'{level.label}.json'
        path.write_text(json.dumps(document))
        image = load_coco(str(path), level)['images'][0]
        assert image['file_name'] == 'train2017/000000000001.jpg'
        assert image['coco_url'].endswith('train2017/000000000001.jpg')
        assert image['neg_category_ids'] == [4]
        assert image['not_exhaustive_category_ids'] == [2, 3]
        # Seen and drawn, seen and drawn in part, seen and not drawn; never the absent.
        assert image['tags'] == [1, 2, 3]
        assert [c['frequency'] for c in document['categories']] == list('fcrr')
        assert document['categories'][0]['synset'] == 'cat.n.01'
        assert 'instance_count' not in json.dumps(document)


def test_mixing_keeps_what_federated_training_needs(tmp_path):
    coco = lvis()
    coco['images'].append(dict(coco['images'][0], id=2))
    coco['annotations'].append(dict(coco['annotations'][0], id=3, image_id=2))
    source, out = tmp_path / 'lvis_v1_train.json', tmp_path / 'mix.json'
    source.write_text(json.dumps(coco))
    mix_file(source, out, [Share(Supervision.MASKS, 1), Share(Supervision.POINTS, 1)])
    document = load_coco(str(out), 'masks')
    assert [c['frequency'] for c in document['categories']] == list('fcrr')
    for image in document['images']:
        assert image['file_name'] == 'train2017/000000000001.jpg'
        assert image['neg_category_ids'] == [4]
        assert image['not_exhaustive_category_ids'] == [2, 3]
    points = [one for one in document['annotations'] if 'point' in one]
    assert points and not any('segmentation' in one for one in points)


def test_the_tool_reads_panoptic_files(panoptic, capsys):
    path, _, _ = panoptic
    spec = importlib.util.spec_from_file_location('coco2weak_panoptic_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    moved = path.with_suffix('').rename(path.parent / 'pngs')
    command = [str(path), '--level', 'masks', 'points', '--workers', '1']
    command += ['--out-dir', str(path.parent / 'weak')]
    with pytest.raises(SystemExit, match='--panoptic-dir'):
        tool.main(command)
    tool.main([*command, '--panoptic-dir', str(moved)])
    out = capsys.readouterr().out
    assert 'masks_panoptic_val2017.json: masks, 2 images, 3 annotations' in out
    assert 'points_panoptic_val2017.json: points, 2 images, 3 annotations' in out
