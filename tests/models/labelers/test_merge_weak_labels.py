"""The first labels of weak panoptic, through label generation, on a mixed set."""

import json

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import encode_segment_map
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.registry import DATASETS

THINGS, STUFF = ('cat', 'dog'), ('grass', 'sky')
IDS = dict(zip((*THINGS, *STUFF), (3, 4, 9, 7)))
SIZE = (12, 20)
DRAWN = slice(5, 7)  # rows of the cat that a person drew


def write_maps(folder, names, maps):
    folder.mkdir()
    images = []
    for number, values in enumerate(maps, start=1):
        content = encode_semantic_map(values.astype(np.uint8), names)
        (folder / f'{number}.png').write_bytes(content)
        images.append(dict(id=number, file=f'{number}.png'))
    index = dict(type='semantic_maps', classes=list(names), images=images)
    (folder / 'index.json').write_text(json.dumps(index))


@pytest.fixture
def config(tmp_path):
    """Three images of one cat; the second is fully labelled, the others have a box."""
    categories = [
        dict(id=key, name=name, isthing=int(name in THINGS))
        for name, key in sorted(IDS.items())
    ]
    images = [
        dict(id=n, file_name=f'{n}.jpg', height=SIZE[0], width=SIZE[1])
        for n in (1, 2, 3)
    ]
    for image in images:
        pixels = np.zeros((*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / image['file_name'])
    full = [
        dict(one, tags=[3, 7, 9], supervision='masks' if one['id'] == 2 else 'boxes')
        for one in images
    ]
    cat = dict(category_id=3, iscrowd=0, bbox=[2, 4, 8, 6], area=48)
    annotations = [dict(cat, id=n, image_id=n) for n in (1, 2, 3)]
    annotations[1]['segmentation'] = [[2, 4, 10, 4, 10, 10, 2, 10]]
    mixed = dict(images=full, annotations=annotations, categories=categories)
    (tmp_path / 'mixed.json').write_text(json.dumps(mixed))
    # What a person drew is there of all three, as in Cityscapes.
    ids = np.full(SIZE, 1)
    ids[DRAWN, 2:10] = 2
    segments = [dict(id=1, category_id=7), dict(id=2, category_id=3)]
    (tmp_path / 'truth').mkdir()
    for image in images:
        (tmp_path / f'truth/{image["id"]}.png').write_bytes(encode_segment_map(ids))
    truth = [
        dict(image_id=n, file_name=f'{n}.png', segments_info=segments)
        for n in (1, 2, 3)
    ]
    content = dict(images=images, annotations=truth, categories=categories)
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    tags = np.full(SIZE, 1)  # in the order sky, grass
    tags[8:] = 0
    write_maps(tmp_path / 'cam', ('grass', 'sky'), [tags] * 3)
    boxes = np.zeros(SIZE)
    boxes[4:10, 2:10], boxes[5:9, 3:9] = 255, 2
    write_maps(tmp_path / 'boxes', ('background', 'dog', 'cat'), [boxes] * 3)
    dataset = dict(
        type='mmwsis.CocoWeakDataset',
        supervision='masks',
        ann_file=str(tmp_path / 'mixed.json'),
        data_prefix=dict(img=str(tmp_path)),
        metainfo=dict(classes=(*THINGS, *STUFF), stuff_classes=STUFF),
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage'),
            dict(type='mmwsis.LoadSemanticMap', folder=str(tmp_path / 'cam')),
            dict(type='mmwsis.LoadBoxLabelMap', folder=str(tmp_path / 'boxes')),
            dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_bbox=True),
            dict(type='mmwsis.LoadFullLabels', ann_file=str(tmp_path / 'truth.json')),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
    return Config(
        dict(
            model=dict(
                type='mmwsis.MergeWeakLabels',
                num_things_classes=2,
                num_stuff_classes=2,
                test_cfg=dict(image_level=True),
            ),
            artifact='panoptic_maps',
            default_scope='mmdet',
            pseudo_label_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dataset,
            ),
            wsis=dict(method='Weak panoptic', stage='labeler', supervision='masks'),
        )
    )


def test_labels_of_a_mixed_set(config, tmp_path):
    out = generate_pseudo_labels(config, None, tmp_path / 'round0.json')
    found = PanopticFile(out, out.with_suffix(''))
    weak, full, again = map(found.segment_map, (1, 2, 3))
    np.testing.assert_array_equal(weak, again)
    classes = {one['id']: one['category_id'] for one in found.segments(1)}
    assert sorted(classes.values()) == [3, 7, 9]
    assert not any(one['iscrowd'] for one in found.segments(1))
    labels = np.vectorize(lambda number: classes.get(number, 0))(weak)
    expected = np.where(np.arange(12)[:, None] < 8, 7, 9) * np.ones(SIZE, int)
    expected[5:9, 3:9] = 3  # half of the box: nothing is filled
    np.testing.assert_array_equal(labels, expected)
    # The second image has what a person drew.
    (cat,) = (one['id'] for one in found.segments(2) if one['category_id'] == 3)
    rows, columns = np.nonzero(full == cat)
    assert {*rows} == {5, 6} and {*columns} == {*range(2, 10)}
    dataset = DATASETS.build(
        dict(
            type='mmdet.CocoPanopticDataset',
            ann_file=str(out),
            data_prefix=dict(img=str(tmp_path), seg=str(out.with_suffix(''))),
            metainfo=dict(
                classes=(*THINGS, *STUFF), thing_classes=THINGS, stuff_classes=STUFF
            ),
            pipeline=[dict(type='mmwsis.LoadPanopticAnnotations')],
        )
    )
    assert [len(sample['gt_bboxes']) for sample in dataset] == [1, 1, 1]


def test_two_jobs_make_what_one_makes(config, tmp_path, monkeypatch):
    monkeypatch.setenv('SOURCE_DATE_EPOCH', '0')
    generate_pseudo_labels(config, None, tmp_path / 'one.json')
    config.pseudo_label_dataloader.num_workers = 1  # labelled in that process
    for index in (2, 1):
        options = GenerationOptions(shard=Shard(index, 2))
        generate_pseudo_labels(config, None, tmp_path / 'two.json', options)
    options = GenerationOptions(merge=True)
    generate_pseudo_labels(config, None, tmp_path / 'two.json', options)
    one, two = ((tmp_path / f'{name}.json').read_bytes() for name in ('one', 'two'))
    assert one == two
    for name in ('1.png', '2.png', '3.png'):
        pair = [(tmp_path / folder / name).read_bytes() for folder in ('one', 'two')]
        assert pair[0] == pair[1]


def test_a_map_of_another_size_is_named(config, tmp_path):
    values = np.zeros((4, 4), np.uint8)
    content = encode_semantic_map(values, ('background', 'dog', 'cat'))
    (tmp_path / 'boxes/3.png').write_bytes(content)
    message = r'map of image id 3 is \(4, 4\), expected \(12, 20\)'
    with pytest.raises(ValueError, match=message):
        generate_pseudo_labels(config, None, tmp_path / 'round0.json')
    assert not (tmp_path / 'round0.json').exists()
