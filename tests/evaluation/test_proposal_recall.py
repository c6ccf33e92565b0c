"""Recall of proposals, by hand, and the report as a user makes it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from forked_tools import run_forked
from PIL import Image

from mmwsis.evaluation.proposal_recall import best_overlaps, proposal_recall
from mmwsis.evaluation.proposal_recall_report import (
    recall_markdown,
    report_of_proposals,
)
from mmwsis.formats.coco_masks import encode_mask
from mmwsis.pipelines.report_data import quality_summary

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/proposal_recall.py'
SIZE = (120, 140)


def rectangle(x, y, width, height):
    mask = np.zeros(SIZE, dtype=bool)
    mask[y : y + height, x : x + width] = True
    return mask


# Three objects of image 1: small, medium, a crowd; one large object of image 2.
SMALL, MEDIUM, LARGE = (
    rectangle(0, 0, 20, 20),
    rectangle(40, 0, 50, 60),
    rectangle(0, 0, 120, 110),
)
EDGES = MEDIUM & ~rectangle(41, 0, 24, 60)


@pytest.fixture
def files(tmp_path):
    rows = [(1, 7, SMALL, 0), (1, 9, MEDIUM, 0), (1, 9, LARGE, 1), (2, 9, LARGE, 0)]
    annotations = [
        dict(
            id=number,
            image_id=image,
            category_id=category,
            iscrowd=crowd,
            bbox=[0, 0, 1, 1],
            area=1,
            segmentation=encode_mask(mask),
        )
        for number, (image, category, mask, crowd) in enumerate(rows)
    ]
    gt = dict(
        images=[
            dict(id=i, file_name=f'{i}.png', height=SIZE[0], width=SIZE[1])
            for i in (1, 2)
        ],
        categories=[dict(id=i, name=n) for i, n in ((7, 'a'), (9, 'b'), (8, 'none'))],
        annotations=annotations,
    )
    proposals = [
        dict(image_id=1, category_id=1, score=score, segmentation=encode_mask(mask))
        for score, mask in ((0.2, EDGES), (0.9, rectangle(0, 0, 20, 12)))
    ]
    paths = tmp_path / 'gt.json', tmp_path / 'proposals.json'
    for path, content in zip(paths, (gt, proposals)):
        path.write_text(json.dumps(content))
    return paths


def test_figures_by_hand(files):
    gt, proposals = files
    recall = proposal_recall(proposals, gt, allow_missing=True)
    # The small object: 240 of 400 pixels. The medium one: 26 of its 50 columns, the
    # first and the last 25, whose box is the object's. The large one: nothing.
    assert recall['all']['objects'] == 3 and recall['images'] == 2
    assert recall['per_image'] == dict(mean=1, median=1, min=0, max=2)
    mask, box = recall['all']['mask'], recall['all']['box']
    assert mask == dict(
        recall50=2 / 3, recall70=0, mean_best_iou=pytest.approx((0.6 + 0.52) / 3)
    )
    assert box == dict(
        recall50=2 / 3, recall70=1 / 3, mean_best_iou=pytest.approx((0.6 + 1) / 3)
    )
    sizes = recall['per_size']
    assert [sizes[name]['objects'] for name in sizes] == [1, 1, 1]
    assert sizes['small']['mask']['mean_best_iou'] == pytest.approx(0.6)
    assert sizes['large']['mask']['recall50'] == 0
    names = {row['name']: row for row in recall['per_class']}
    assert [row['objects'] for row in names.values()] == [1, 2, 0]
    assert names['none']['mask']['recall50'] is None
    first, *_, last = recall['per_count']
    assert (first['count'], last['count']) == (1, 1000)
    assert first['mask']['mean_best_iou'] == pytest.approx(0.2)
    assert last['mask'] == mask
    assert '| medium (up to 96² px) | 1 | 1.000 | 0.000 | 0.520 |' in (
        recall_markdown(recall)
    )


def test_fewer_proposals_count(files):
    recall = proposal_recall(files[1], files[0], max_num=1, allow_missing=True)
    assert [row['count'] for row in recall['per_count']] == [1]
    assert recall['per_image']['max'] == 1


def test_missing_images_are_an_error_unless_allowed(files):
    with pytest.raises(FileNotFoundError, match=r'no proposals of image id 2'):
        proposal_recall(files[1], files[0])


def test_nothing_to_recall_is_an_error(files):
    content = json.loads(files[0].read_text())
    content['annotations'] = []
    files[0].write_text(json.dumps(content))
    with pytest.raises(ValueError, match='has no object with a mask'):
        proposal_recall(files[1], files[0], allow_missing=True)


@pytest.mark.parametrize('seed', range(3))
def test_best_overlaps_are_maxima(seed):
    iou = np.random.default_rng(seed).random((seed * 4, 3))
    found = best_overlaps(iou, (1, 5, 100))
    for row, count in zip(found, (1, 5, 100)):
        np.testing.assert_array_equal(row, iou[:count].max(0, initial=0))


def test_tool_writes_the_report(files, tmp_path):
    command = [sys.executable, str(TOOL), str(files[1]), str(files[0])]
    command += ['--out-dir', str(tmp_path / 'out'), '--allow-missing']
    done = run_forked(command)
    assert done.returncode == 0, done.stderr
    assert 'all              3     0.667     0.000     0.373' in done.stdout
    report = json.loads((tmp_path / 'out/proposal_recall.json').read_text())
    assert report['all']['objects'] == 3
    with Image.open(tmp_path / 'out/proposal_recall.png') as figure:
        assert figure.width > 1000
    assert '(proposal_recall.png)' in (tmp_path / 'out/proposal_recall.md').read_text()


@pytest.mark.parametrize('indexed', [False, True])
def test_quality_report_of_a_folder_of_proposals(files, tmp_path, indexed):
    gt, out = files[0], tmp_path / 'quality'
    folder = tmp_path / 'proposals'
    assert report_of_proposals(gt, gt, out) is None
    folder.mkdir()
    assert report_of_proposals(folder, gt, out) is None  # no proposals in it
    entries = []
    for image in (1, 2):
        found = [dict(image_id=image, score=0.5, segmentation=encode_mask(LARGE))]
        (folder / f'{image}.json').write_text(json.dumps(found))
        entries.append(dict(id=image, file=f'{image}.json', count=1))
    if indexed:
        index = dict(type='class_maps', classes=[], images=entries)
        (folder / 'index.json').write_text(json.dumps(index))
        assert report_of_proposals(folder, gt, out) is None
        index['type'] = 'proposals'
        (folder / 'index.json').write_text(json.dumps(index))
    report_of_proposals(folder, gt, out)
    report = json.loads((out / 'quality.json').read_text())
    assert report['all']['mask']['recall50'] == pytest.approx(1 / 3)
    assert quality_summary(report)['recall of proposals at IoU .5'] == pytest.approx(
        1 / 3
    )
    assert '(quality.png)' in (out / 'quality.md').read_text()
    assert (out / 'quality.png').is_file()
