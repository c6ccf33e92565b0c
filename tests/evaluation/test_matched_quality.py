import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmwsis.evaluation.compare_files import compare_files
from mmwsis.evaluation.quality_report import write_quality_report
from mmwsis.pipelines.report_data import quality_summary

SIZE = (40, 50)


def annotation(key, image_id, category, box, **extra):
    x, y, w, h = box
    mask = np.zeros(SIZE, dtype=np.uint8, order='F')
    mask[y : y + h, x : x + w] = 1
    rle = coco_mask.encode(mask)
    segmentation = dict(size=list(SIZE), counts=rle['counts'].decode())
    own = dict(id=key, image_id=image_id, category_id=category, iscrowd=0)
    return dict(own, bbox=list(box), area=w * h, segmentation=segmentation, **extra)


@pytest.fixture
def files(tmp_path):
    """Found instances, numbered from 1 like the objects, but in another order."""
    images = [dict(id=i, file_name=f'{i}.png', height=40, width=50) for i in (1, 2)]
    categories = [dict(id=3, name='nut'), dict(id=8, name='bolt')]
    gt = [
        annotation(1, 1, 3, (0, 0, 10, 10)),
        annotation(2, 1, 3, (20, 0, 10, 10)),
        annotation(3, 1, 8, (20, 20, 10, 10)),
        annotation(4, 2, 8, (0, 0, 20, 10)),
        annotation(5, 2, 8, (0, 20, 20, 10), iscrowd=1),
    ]
    pseudo = [
        annotation(1, 1, 8, (20, 20, 10, 10), score=0.9),
        annotation(2, 1, 3, (20, 0, 10, 8), score=0.8),
        annotation(3, 1, 3, (20, 0, 10, 4), score=0.7),
        annotation(4, 1, 3, (35, 30, 5, 5), score=0.6),
        annotation(5, 2, 3, (0, 0, 20, 10), score=0.5),
        annotation(6, 2, 8, (0, 20, 20, 10), score=0.4),
    ]
    info = dict(mmwsis=dict(artifact=dict(type='instances')))
    paths = tmp_path / 'pseudo.json', tmp_path / 'gt.json'
    head = dict(images=images, categories=categories)
    paths[0].write_text(json.dumps(dict(head, annotations=pseudo, info=info)))
    paths[1].write_text(json.dumps(dict(head, annotations=gt)))
    return paths


def test_objects_find_their_masks_by_overlap(files):
    comparison = compare_files(*files)
    rows = [(i.ann_id, i.pseudo_id, i.iou, i.missing) for i in comparison.instances]
    assert [row[:2] + row[3:] for row in rows] == [
        (1, None, True),
        (2, 2, False),
        (3, 1, False),
        (4, None, True),  # the mask at its place is of another class
    ]
    assert [row[2] for row in rows] == pytest.approx([0, 0.8, 1, 0])
    summary = comparison.summary()
    assert summary['matched_by'] == 'overlap' and summary['found'] == 6
    assert summary['class_mean_iou']['all'] == pytest.approx((0.4 + 0.5) / 2)
    assert summary['recall50']['all'] == pytest.approx(0.5)
    assert summary['missing'] == 2


def test_average_precision(files):
    precision = compare_files(*files).average_precision
    # nut: one of two objects found first; bolt: one of two, a crowd ignored.
    for key in ('AP25', 'AP50', 'AP75'):
        assert precision[key] == pytest.approx(0.5)
    assert [row['AP50'] for row in precision['per_class']] == pytest.approx([0.5, 0.5])


def test_coverage_and_counts(files):
    """The crowd is no object, its label is one too many."""
    found = compare_files(*files).average_precision
    # The best overlaps of an image's objects: 0, 0.8, 1; and 1, of another class.
    assert found['MUCov'] == found['MWCov'] == pytest.approx((0.6 + 1) / 2)
    assert (found['MAE'], found['class_MAE']) == (1.0, 0.5)


def test_report_has_both_kinds(files, tmp_path):
    out = tmp_path / 'report'
    summary = write_quality_report(compare_files(*files), out, worst=4)
    text = (out / 'quality.md').read_text()
    assert 'by overlap' in text and '6 that were found' in text
    assert text.count('## Average precision') == 1
    assert '| bolt | 2 | 50.0 | 50.0 |' in text
    assert ' 80.0 | 80.0 | 1.00 | 0.50 |' in text
    assert (out / 'worst.png').is_file()
    shown = quality_summary(json.loads((out / 'quality.json').read_text()))
    assert shown['pseudo labels as predictions, AP50'] == pytest.approx(0.5)
    assert shown['pseudo labels as predictions, MUCov'] == pytest.approx(0.8)
    assert shown['pseudo labels, count MAE'] == 1
    assert summary['worst'][0]['pseudo_id'] is None


def test_flag_overrules_the_file(files):
    with pytest.raises(ValueError, match=r'1 of 6 annotation ids .*--match overlap'):
        compare_files(*files, match='id')
    content = json.loads(files[0].read_text())
    del content['info']
    files[0].write_text(json.dumps(content))
    with pytest.raises(ValueError, match='1 of 6 annotation ids'):
        compare_files(*files)
    assert compare_files(*files, match='overlap').matched
    with pytest.raises(ValueError, match="match must be 'auto'"):
        compare_files(*files, match='best')


def test_no_pseudo_label_at_all(files):
    content = json.loads(files[0].read_text())
    content['annotations'] = []
    files[0].write_text(json.dumps(content))
    summary = compare_files(*files).summary()
    assert summary['class_mean_iou']['all'] == 0 and summary['missing'] == 4
    assert summary['average_precision']['AP50'] == 0
