import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from forked_tools import run_forked
from pycocotools import mask as coco_mask

from mmwsis.evaluation.compare_files import compare_files
from mmwsis.evaluation.quality_report import write_quality_report

ROOT = Path(__file__).parents[2]
SIZE = (48, 64)


def rle(*boxes):
    mask = np.zeros(SIZE, dtype=np.uint8, order='F')
    for x, y, w, h in boxes:
        mask[y : y + h, x : x + w] = 1
    code = coco_mask.encode(mask)
    return dict(size=list(SIZE), counts=code['counts'].decode())


def annotation(key, image_id, category, segmentation, bbox, **extra):
    own = dict(id=key, image_id=image_id, category_id=category, iscrowd=0)
    area = int(coco_mask.area(segmentation))
    return {**own, 'segmentation': segmentation, 'bbox': bbox, 'area': area, **extra}


@pytest.fixture
def files(tmp_path):
    """Two images in both files, a third in the ground truth only."""
    (tmp_path / 'images').mkdir()
    for name in ('a.png', 'b.png', 'c.png'):
        cv2.imwrite(str(tmp_path / 'images' / name), np.full((*SIZE, 3), 90, np.uint8))
    images = [
        dict(id=i, file_name=f'{name}.png', height=SIZE[0], width=SIZE[1])
        for i, name in enumerate('abc')
    ]
    categories = [dict(id=3, name='nut'), dict(id=8, name='bolt')]
    gt = [
        annotation(1, 0, 3, rle((4, 4, 10, 10)), [4, 4, 10, 10]),
        annotation(2, 0, 8, rle((20, 4, 5, 8), (30, 4, 5, 8)), [20, 4, 15, 8]),
        annotation(3, 1, 8, rle((5, 5, 8, 8)), [5, 5, 8, 8]),
        annotation(4, 1, 8, rle((5, 5, 20, 20)), [5, 5, 20, 20], iscrowd=1),
        annotation(5, 2, 8, rle((5, 5, 20, 20)), [5, 5, 20, 20]),
    ]
    box = [4, 4, 10, 10]
    pseudo = [
        annotation(1, 0, 3, rle((4, 4, 10, 5)), [4, 4, 10, 5], weak_bbox=box),
        annotation(2, 0, 8, rle((20, 4, 15, 8)), [20, 4, 15, 8]),
    ]
    paths = tmp_path / 'pseudo.json', tmp_path / 'gt.json'
    contents = (
        dict(images=images[:2], categories=categories, annotations=pseudo),
        dict(images=images, categories=categories, annotations=gt),
    )
    for path, content in zip(paths, contents):
        path.write_text(json.dumps(content))
    return paths


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_report_of_two_files(files, tmp_path):
    comparison = compare_files(*files)
    out = tmp_path / 'report'
    summary = write_quality_report(comparison, out, tmp_path / 'images', worst=2)
    assert summary['instances']['all'] == 3 and summary['images_left_out'] == 1
    assert summary['missing'] == 1 and summary['coverage'] == pytest.approx(2 / 3)
    assert summary['class_mean_iou']['all'] == pytest.approx(
        (0.5 + (2 / 3 + 0) / 2) / 2
    )
    assert summary['class_mean_iou']['separated'] == pytest.approx(2 / 3)
    # The box is half-open.
    assert summary['per_class'][0]['filled_boxes'] == pytest.approx(1)
    assert summary['edge_offsets'] == dict(left=0, top=0, right=0, bottom=-2.5)
    assert [item['ann_id'] for item in summary['worst']] == [3, 1]
    assert json.loads((out / 'quality.json').read_text()) == json.loads(
        json.dumps(summary)
    )
    # The one nut is half covered, of the two bolts one is found.
    assert summary['average_precision']['AP50'] == pytest.approx((1 + 0.5) / 2)
    text = (out / 'quality.md').read_text()
    assert '## Average precision' in text and '| bolt | 2 | 50.0 | 33.3 |' in text
    assert '| nut | 1 | 0.500 | 1.000 |' in text and '![Worst' in text
    for name in ('quality.png', 'worst.png'):
        drawn = cv2.imread(str(out / name))
        assert drawn.shape[0] > 100 and drawn.std() > 5


def test_worst_shows_outlines_in_their_colours(files, tmp_path):
    write_quality_report(compare_files(*files), tmp_path / 'report', worst=3)
    drawn = cv2.imread(str(tmp_path / 'report' / 'worst.png'))[..., ::-1]
    for color in ((40, 220, 90), (255, 50, 120)):
        assert (drawn == color).all(-1).sum() > 200


def test_processes_change_nothing(files, monkeypatch):
    from mmwsis.evaluation.compare_files import compare_files as function

    module = sys.modules[function.__module__]
    monkeypatch.setattr(module, '_WORTH_PROCESSES', 1)
    assert compare_files(*files, workers=2).instances == compare_files(*files).instances


@pytest.mark.parametrize(
    'change, message',
    [
        (
            lambda c: c['images'][0].update(file_name='x.png'),
            'different images: image id 0',
        ),
        (lambda c: c['images'][0].update(width=65), 'size 65x48 in the first'),
        (lambda c: c['categories'][0].update(name='gnu'), "id 3 is 'gnu' in the first"),
        (
            lambda c: c['annotations'][0].update(id=99),
            r'1 of 2 .* the first are \[99\]',
        ),
        (lambda c: c['annotations'][0].update(category_id=8), 'id 1 has category_id 8'),
        (lambda c: c['annotations'][0].update(image_id=1), 'id 1 has image_id 1'),
        (
            lambda c: c['annotations'][1].update(
                segmentation=dict(size=[48, 64], counts='!~~')
            ),
            'annotation id 2 of image id 0: the counts of the RLE are damaged',
        ),
        (lambda c: c['annotations'][1].pop('segmentation'), 'id 2 .* got NoneType'),
    ],
)
def test_files_that_do_not_belong_together(files, change, message):
    edit(files[0], change)
    with pytest.raises(ValueError, match=message):
        compare_files(*files)


def test_no_shared_image(files):
    def shift(content):
        for entry in content['images']:
            entry['id'] += 100
        for entry in content['annotations']:
            entry['image_id'] += 100

    edit(files[0], shift)
    with pytest.raises(ValueError, match='share no image id'):
        compare_files(*files)


def test_missing_image_is_named(files, tmp_path):
    (tmp_path / 'images' / 'b.png').unlink()
    with pytest.raises(FileNotFoundError, match='b.png'):
        write_quality_report(
            compare_files(*files), tmp_path / 'report', tmp_path / 'images'
        )
    assert not (tmp_path / 'report' / 'quality.json').exists()


def test_tool(files, tmp_path):
    tool = ROOT / 'tools' / 'analysis_tools' / 'pseudo_label_quality.py'
    out = tmp_path / 'report'
    run = run_forked([sys.executable, tool, *files, '--out-dir', out, '--worst', '0'])
    assert run.returncode == 0, run.stderr
    assert 'separated' in run.stdout and (out / 'quality.json').is_file()
    assert not (out / 'worst.png').exists()
