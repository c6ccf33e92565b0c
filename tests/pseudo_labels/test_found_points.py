"""Points that were found: what is written is what every reader gets."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmwsis.dataset_converters.coco2weak import derive_weak_coco
from mmwsis.datasets.transforms import LoadWeakAnnotations
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.validation import validate_file
from mmwsis.pseudo_labels.artifact import LabelSource
from mmwsis.pseudo_labels.found_points import FoundPoints
from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision, restrict_coco

CLASSES, CATEGORY_IDS = ('sky', 'cat', 'dog'), (40, 17, 5)
SIZES = {7: (24, 32), 'b8': (30, 20)}
PROVENANCE = dict(
    method='TOY',
    supervision='image_tags',
    checkpoint_sha256='0',
    artifact=dict(type='points'),
)


def source(**more):
    images = [
        dict(id=key, file_name=f'{key}.png', height=h, width=w, tags=[5, 40], **more)
        for key, (h, w) in SIZES.items()
    ]
    categories = [
        dict(id=key, name=name) for key, name in zip(CATEGORY_IDS[::-1], CLASSES[::-1])
    ]
    coco = dict(images=images, annotations=[], categories=categories)
    return LabelSource('weak.json', coco, CLASSES, CATEGORY_IDS)


def predicted(image_id, labels, points, scores):
    sample = DetDataSample(metainfo=dict(img_id=image_id))
    sample.pred_points = InstanceData(
        labels=torch.tensor(labels, dtype=torch.int64),
        points=torch.tensor(points, dtype=torch.float32).reshape(-1, 2),
        scores=torch.tensor(scores, dtype=torch.float64),
    )
    return sample


def write(folder, found, **options):
    """Write ``{image id: (labels, points, scores)}``; returns the path."""
    own = options.pop('source', source())
    artifact = FoundPoints(Path(folder, 'points.json'), own, **options)
    records = {key: artifact.record(predicted(key, *f)) for key, f in found.items()}
    artifact.finish(records, PROVENANCE)
    return str(artifact.out)


@st.composite
def objects(draw, image_id):
    height, width = SIZES[image_id]
    # Distinct pixels in eighths, which float32 and the file hold exactly.
    eighths = st.tuples(
        st.integers(16, 8 * (width - 1)), st.integers(0, 8 * height - 8)
    )
    rows = draw(
        st.lists(eighths, max_size=6, unique_by=lambda p: (p[0] // 8, p[1] // 8))
    )
    count = len(rows)
    labels = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    scores = draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    points = (np.array(rows, dtype=float).reshape(-1, 2) / 8).tolist()
    return labels, points, [round(score, 6) for score in scores]


@settings(max_examples=10, deadline=None)
@given(first=objects(7), second=objects('b8'))
def test_write_and_read_are_inverse(first, second):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, {'b8': second, 7: first})
        dataset = DATASETS.build(
            dict(
                type='mmwsis.CocoWeakDataset',
                ann_file=path,
                data_prefix=dict(img=''),
                metainfo=dict(classes=CLASSES[::-1]),
                supervision='points',
                pipeline=[],
                test_mode=True,
            )
        )
        number = 0
        for info, (labels, points, scores) in zip(dataset, (first, second)):
            sample = LoadWeakAnnotations()(info)
            assert np.array_equal(sample['gt_points'], np.reshape(points, (-1, 2)))
            assert sample['gt_points'].shape == (len(labels), 2)
            assert [2 - label for label in sample['gt_bboxes_labels']] == labels
            if labels:
                assert np.allclose(sample['gt_point_scores'], scores, atol=1e-7)
            ids = list(range(number + 1, number + 1 + len(labels)))
            assert sample['gt_ann_ids'].tolist() == ids
            number += len(labels)
        assert not {
            rule for rule in validate_file(path).log.counts if rule != 'tags-incomplete'
        } - {'point-shared', 'level-absent'}


@settings(max_examples=10, deadline=None)
@given(first=objects(7), second=objects('b8'))
def test_weaker_levels_and_the_converter(first, second):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, {7: first, 'b8': second})
        written = json.loads(Path(path).read_text())
        for level in Supervision:
            if level > Supervision.POINTS:  # boxes are missing
                restricted = restrict_coco(written, level)
            else:
                restricted = load_coco(path, level)
            expected = written['annotations'] if level > Supervision.IMAGE_TAGS else []
            assert restricted['annotations'] == expected
            assert restricted['images'] == written['images']
        weak = derive_weak_coco(written, [Supervision.POINTS])[Supervision.POINTS]
        assert weak['annotations'] == written['annotations']
        assert weak['images'] == written['images']


def test_a_score_on_the_threshold_is_kept_and_borders_are_pixels(tmp_path):
    scores = [0.3, 0.25, np.nextafter(0.25, 0), 0.9]
    points = [[1, 2], [31.5, 23.25], [3, 4], [-0.25, 5.12345]]
    path = write(tmp_path, {7: ([0, 1, 2, 1], points, scores)}, min_score=0.25)
    made = json.loads(Path(path).read_text())['annotations']
    assert [(one['score'], one['point']) for one in made] == [
        (0.3, [1, 2]),
        (0.25, [31, 23]),
        (0.9, [0, 5.123]),
    ]
    assert [one['category_id'] for one in made] == [40, 17, 17]
    assert load_coco(path, 'points')['images'][0]['tags'] == [5, 40]


def test_nothing_stronger_than_points_is_written(tmp_path):
    own = source(void=dict(size=[24, 32], counts='abc'), supervision='masks')
    box = dict(id=1, image_id=7, category_id=5, iscrowd=0, bbox=[1, 2, 3, 4])
    own.coco.update(annotations=[box], semantic='more', info=dict(masks=[1]))
    path = write(tmp_path, {7: ([0], [[1, 2]], [0.5])}, source=own)
    made = json.loads(Path(path).read_text())
    assert set(made) == {'info', 'images', 'categories', 'annotations'}
    assert set(made['info']) == {'mmwsis'}
    known = {'id', 'file_name', 'height', 'width', 'tags'}
    assert set(made['images'][0]) == known
    assert [set(one) for one in made['annotations']] == [
        {'id', 'image_id', 'category_id', 'iscrowd', 'point', 'score'}
    ]


def test_results_are_a_bare_list(tmp_path):
    artifact = FoundPoints(tmp_path / 'points.json', source())
    records = {7: artifact.record(predicted(7, [1], [[1, 2]], [0.5]))}
    text = artifact.finish(records, PROVENANCE, tmp_path / 'list.json')
    assert text == '1 points on 2 images, 1 of them without any'
    (only,) = json.loads((tmp_path / 'list.json').read_text())
    assert only['point'] == [1, 2]


def test_masks_have_no_points(tmp_path):
    sample = DetDataSample(metainfo=dict(img_id=7))
    sample.pred_instances = InstanceData(labels=torch.tensor([0]))
    artifact = FoundPoints(tmp_path / 'points.json', source())
    with pytest.raises(ValueError, match=r'image id 7: .* labeler that finds points\?'):
        artifact.record(sample)
