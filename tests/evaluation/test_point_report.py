"""Points against masks: by hand, and against a reference that decodes every mask."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmwsis.evaluation.instance_ground_truth import ImageObjects
from mmwsis.evaluation.mask_bits import pack_masks
from mmwsis.evaluation.point_quality import THRESHOLDS, ImagePoints, count_hits
from mmwsis.evaluation.point_report import holds_points, point_report, report_of_points

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/pseudo_label_quality.py'
SIZE = (20, 30)


def rle(x, y, w, h):
    mask = np.zeros(SIZE, dtype=np.uint8, order='F')
    mask[y : y + h, x : x + w] = 1
    code = coco_mask.encode(mask)
    return dict(size=list(SIZE), counts=code['counts'].decode())


@pytest.fixture
def files(tmp_path):
    """Nuts: one hit once, one twice; bolts: one missed, one crowd; an empty image."""
    images = [
        dict(id=key, file_name=f'{key}.png', height=SIZE[0], width=SIZE[1])
        for key in (1, 2, 3)
    ]
    # Another order in the ground truth.
    nut, bolt = dict(id=3, name='nut'), dict(id=8, name='bolt')
    masks = [(1, 3, (2, 2, 6, 6)), (1, 3, (20, 2, 6, 6)), (2, 8, (2, 2, 6, 6))]
    masks += [(2, 8, (20, 10, 8, 8)), (3, 8, (0, 0, 5, 5))]
    truth = [
        dict(
            id=number, image_id=image_id, category_id=category,
            iscrowd=int(number == 3),
            bbox=list(box), area=box[2] * box[3], segmentation=rle(*box),
        )
        for number, (image_id, category, box) in enumerate(masks)
    ]  # fmt: skip
    cues = [
        (1, 3, [7.4, 7.4], 0.9),  # the last pixel of the first nut
        (1, 3, [20, 2], 0.8),
        (1, 3, [22, 4], 0.25),
        (1, 8, [21, 3], 0.5),  # a bolt on a nut
        (1, 3, [8, 8], 1.0),  # beside it
        (2, 8, [24, 12], 0.7),  # on a crowd of its class: not judged
        (2, 8, [30, 20], 0.1),  # the corner, which is the last pixel
    ]
    points = [
        dict(id=n, image_id=i, category_id=c, iscrowd=0, point=p, score=s)
        for n, (i, c, p, s) in enumerate(cues, start=1)
    ]
    contents = dict(
        points=dict(images=images[:2], categories=[nut, bolt], annotations=points),
        masks=dict(images=images, categories=[bolt, nut], annotations=truth),
    )
    paths = [tmp_path / f'{name}.json' for name in contents]
    for path, content in zip(paths, contents.values()):
        path.write_text(json.dumps(content))
    return paths


def test_report_by_hand(files, tmp_path):
    report = report_of_points(*files, tmp_path / 'report')
    assert report == json.loads((tmp_path / 'report/quality.json').read_text())
    assert (report['images'], report['images_left_out']) == (2, 1)
    assert (report['points'], report['objects']) == (6, 3)
    assert report['inside'] == 3 / 6
    # Two nuts and a bolt too many in the first image, a bolt in the second.
    assert (report['MAE'], report['class_MAE']) == (2, 1)
    shares = [report[key] for key in ('once', 'never', 'several')]
    assert shares == [1 / 3, 1 / 3, 1 / 3] and report['plateau'] == 0
    nut, bolt = report['per_class']
    assert nut == dict(
        name='nut', points=4, inside=0.75, objects=2,
        once=0.5, never=0.0, several=0.5, plateau=0.0,
    )  # fmt: skip
    assert (bolt['points'], bolt['inside'], bolt['never']) == (2, 0.0, 1.0)
    at = {row['threshold']: row for row in report['per_threshold']}
    assert at[0.3]['once'] == 2 / 3 and at[0.3]['several'] == 0
    assert at[0.8]['points'] == 2 and at[0.8]['once'] == 1 / 3  # 0.8 is not above it
    text = (tmp_path / 'report/quality.md').read_text()
    assert '| nut | 4 | 75.0 | 2 | 50.0 | 0.0 | 50.0 | 0.0 |' in text
    assert (tmp_path / 'report/quality.png').stat().st_size > 5000


def test_objects_that_a_plateau_costs(files, tmp_path):
    """The two points on the second nut touch, with one score; then with two."""
    content = json.loads(files[0].read_text())
    for one, point in zip(content['annotations'][1:3], ([21, 3], [22, 4])):
        one.update(point=point, score=0.8)
    for score, expected in ((0.8, 1 / 3), (0.7, 0)):
        content['annotations'][2]['score'] = score
        files[0].write_text(json.dumps(content))
        report = report_of_points(*files, tmp_path / 'report')
        assert (report['several'], report['plateau']) == (1 / 3, expected)


def test_clicks_have_no_thresholds(files, tmp_path):
    content = json.loads(files[0].read_text())
    for one in content['annotations']:
        del one['score']
    files[0].write_text(json.dumps(content))
    report = report_of_points(*files, tmp_path / 'report')
    assert report['per_threshold'] == [] and report['inside'] == 0.5


def test_what_a_file_holds(files, tmp_path):
    points, masks = files
    assert holds_points(points) and not holds_points(masks)
    assert report_of_points(masks, masks, tmp_path / 'report') is None
    assert report_of_points(tmp_path, masks, tmp_path / 'report') is None
    with pytest.raises(ValueError, match='holds points, which are measured against'):
        report_of_points(points, None, tmp_path / 'report')
    empty = json.loads(points.read_text())
    empty.update(annotations=[], info=dict(mmwsis=dict(supervision='points')))
    points.write_text(json.dumps(empty))
    report = report_of_points(points, masks, tmp_path / 'report')
    assert (report['points'], report['inside'], report['never']) == (0, None, 1.0)


@pytest.mark.parametrize(
    'change, message',
    [
        (
            lambda c: c['images'][0].update(height=21),
            'image id 1 is 21 x 30 .* 20 x 30',
        ),
        (lambda c: c['categories'][0].update(name='Nut'), "names 'Nut'"),
        (
            lambda c: c.update(images=[dict(c['images'][0], id=9)], annotations=[]),
            'share no image id',
        ),
    ],
)
def test_files_that_do_not_fit(files, change, message):
    content = json.loads(files[0].read_text())
    change(content)
    files[0].write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        point_report(*files)


def touch(one, other):
    """Whether two points, ``(class, row, column, score)``, are of one plateau."""
    same = one[0] == other[0] and one[3] == other[3]
    return same and abs(one[1] - other[1]) <= 1 and abs(one[2] - other[2]) <= 1


def is_one_plateau(hits, points):
    """Whether points of ``points`` lead from the first of ``hits`` to all others."""
    reached = [hits[0]]
    for one in reached:
        reached += [p for p in points if touch(one, p) and p not in reached]
    return all(one in reached for one in hits)


def slow_hits(found, masks, labels, crowd, void):
    """One point, one object, one threshold at a time."""
    counts = np.zeros((len(THRESHOLDS), 2, 7), dtype=int)
    points = [
        (label, min(int(y + 0.5), SIZE[0] - 1), min(int(x + 0.5), SIZE[1] - 1), score)
        for label, (x, y), score in zip(*found)
    ]
    for step, threshold in enumerate(THRESHOLDS):
        hits = [[] for _ in masks]
        for point in points:
            label, *pixel, score = point
            pixel = tuple(pixel)
            if score <= threshold or void[pixel]:
                continue
            own = [
                k for k, mask in enumerate(masks) if mask[pixel] and labels[k] == label
            ]
            objects = [k for k in own if not crowd[k]]
            if own and not objects:
                continue
            counts[step, label, 0] += 1
            counts[step, label, 1] += bool(objects)
            for k in objects:
                hits[k].append(point)
        for k, own in enumerate(hits):
            if crowd[k]:
                continue
            counts[step, labels[k], 2] += 1
            counts[step, labels[k], {0: 4, 1: 3}.get(len(own), 5)] += 1
            if len(own) > 1:
                counts[step, labels[k], 6] += is_one_plateau(own, points)
    return counts


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num=st.integers(0, 8), objects=st.integers(0, 6))
def test_against_a_slow_reference(seed, num, objects):
    rng = np.random.default_rng(seed)
    masks = rng.random((objects, *SIZE)) < 0.4
    void = rng.random(SIZE) < 0.1
    masks &= ~void
    labels, crowd = rng.integers(0, 2, objects), rng.random(objects) < 0.3
    # Few places and scores: points of one plateau, and of two that touch.
    corner = rng.random((num, 2)) * SIZE[::-1] / rng.choice([1, 6])
    found = ImagePoints(
        rng.integers(0, 2, num), corner, rng.choice([0.25, 0.5, 0.7], num)
    )
    truth = ImageObjects(
        pack_masks(masks, SIZE), labels, crowd, pack_masks(void[None], SIZE)
    )
    expected = slow_hits(found, masks, labels, crowd, void)
    assert np.array_equal(count_hits(found, truth, SIZE, 2), expected)


def test_the_tool_finds_out_by_itself(files, tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location('pseudo_label_quality', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    arguments = [TOOL, *files, '--out-dir', tmp_path / 'report']
    monkeypatch.setattr(sys, 'argv', list(map(str, arguments)))
    tool.main()
    assert '| 6 | 50.0 | 3 | 33.3 | 33.3 | 33.3 | 0.0 |' in capsys.readouterr().out
