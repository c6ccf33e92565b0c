"""Quality reports of maps, and average precision of pseudo instances."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from mmwsis.evaluation.label_map_report import report_of_maps
from mmwsis.evaluation.pseudo_label_ap import ap_section, pseudo_label_ap


def write_panoptic(path, segment_map, segments, categories):
    folder = path.with_suffix('')
    folder.mkdir()
    rgb = [segment_map & 255, segment_map >> 8 & 255, segment_map >> 16]
    cv2.imwrite(str(folder / 'a.png'), np.stack(rgb[::-1], -1).astype(np.uint8))
    entry = dict(image_id=1, file_name='a.png', segments_info=segments)
    images = [dict(id=1, file_name='a.jpg', height=6, width=8)]
    content = dict(images=images, annotations=[entry], categories=categories)
    path.write_text(json.dumps(content))


def test_panoptic_report(tmp_path):
    categories = [dict(id=4, name='nut', isthing=1), dict(id=9, name='sky', isthing=0)]
    gt = np.full((6, 8), 2)
    gt[:3, :4] = 1000
    pred = np.full((6, 8), 7)
    pred[:3, :3] = 8
    write_panoptic(
        tmp_path / 'gt.json',
        gt,
        [dict(id=2, category_id=9), dict(id=1000, category_id=4)],
        categories,
    )
    write_panoptic(
        tmp_path / 'pred.json',
        pred,
        [dict(id=7, category_id=9), dict(id=8, category_id=4)],
        categories,
    )
    arguments = tmp_path / 'pred.json', tmp_path / 'gt.json', tmp_path / 'out'
    summary = report_of_maps(*arguments)
    assert summary['PQ_th'] == pytest.approx(0.75)
    assert summary['PQ_st'] == pytest.approx(36 / 39)
    assert json.loads((tmp_path / 'out' / 'quality.json').read_text()) == summary
    assert '| nut | 75.0 | 75.0 | 100.0 |' in (tmp_path / 'out/quality.md').read_text()
    content = json.loads((tmp_path / 'pred.json').read_text())
    content['categories'][0]['name'] = 'bolt'
    (tmp_path / 'pred.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match="id 4 is 'bolt' in the first and 'nut'"):
        report_of_maps(*arguments)


def test_panoptic_report_has_the_mean_iou_and_what_is_ignored(tmp_path):
    categories = [
        dict(id=4, name='nut', isthing=1),
        dict(id=5, name='bolt', isthing=1),
        dict(id=9, name='sky', isthing=0),
    ]
    gt = np.full((6, 8), 2)
    gt[0], gt[1, :4] = 3, 0  # a row of nuts, half a row of void
    pred = np.full((6, 8), 7)
    pred[0, :4], pred[0, 4:], pred[1], pred[5] = 8, 9, 0, 0
    sky, crowd = dict(category_id=9), dict(category_id=4, iscrowd=1)
    write_panoptic(
        tmp_path / 'gt.json', gt, [dict(sky, id=2), dict(crowd, id=3)], categories
    )
    pred_segments = [dict(sky, id=7), dict(crowd, id=8), dict(category_id=5, id=9)]
    write_panoptic(tmp_path / 'pred.json', pred, pred_segments, categories)
    summary = report_of_maps(
        tmp_path / 'pred.json', tmp_path / 'gt.json', tmp_path / 'out'
    )
    # Of 8 pixels of nuts 4 are right, of 36 of sky 24; bolts are nowhere.
    assert [row['IoU'] for row in summary['per_class']] == [0.5, 0, 24 / 36]
    assert summary['mIoU'] == pytest.approx((0.5 + 24 / 36) / 3)
    assert summary['mIoU_th'] == 0.25 and summary['mIoU_st'] == 24 / 36
    assert summary['decided'] == 32 / 44 and summary['ignored'] == 16 / 48
    assert '| nut | - | - | - | 50.0 |' in (tmp_path / 'out/quality.md').read_text()


def test_panoptic_files_without_a_segment_have_no_figures(tmp_path):
    categories = [dict(id=4, name='nut', isthing=1)]
    files = [tmp_path / 'pred.json', tmp_path / 'gt.json']
    for path in files:
        write_panoptic(path, np.zeros((6, 8), int), [], categories)
    with pytest.raises(ValueError, match='have no segment in any of the 1 images'):
        report_of_maps(*files, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_semantic_report(tmp_path):
    values = np.array([[0, 1, 1, 255]], np.uint8)
    for name in ('gt', 'pred'):
        (tmp_path / name).mkdir()
        Image.fromarray(values).save(tmp_path / name / 'a.png')
        values = np.array([[0, 1, 0, 0]], np.uint8)
    config = tmp_path / 'data.py'
    config.write_text("data_spec = dict(classes=('nut', 'bolt|'))\n")
    arguments = tmp_path / 'pred', tmp_path / 'gt', tmp_path / 'out'
    summary = report_of_maps(*arguments, classes=[str(config)], background=True)
    assert summary['mIoU'] == summary['mIoU_decided'] == pytest.approx(0.5)
    assert summary['aAcc'] == pytest.approx(2 / 3) and summary['decided'] == 1
    assert summary['per_class'][2] == dict(name='bolt|', IoU=None)
    text = (tmp_path / 'out' / 'quality.md').read_text()
    assert '| background | 50.0 |' in text and '| bolt\\| | - |' in text
    with pytest.raises(ValueError, match='give --classes'):
        report_of_maps(*arguments)
    with pytest.raises(ValueError, match='is none; give the folder'):
        report_of_maps(tmp_path / 'pred', config, tmp_path / 'out', classes=['a'])


def test_instances_are_left_to_the_other_report(tmp_path):
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(dict(annotations=[dict(id=1)])))
    assert report_of_maps(path, path, tmp_path / 'out') is None


def test_average_precision_of_pseudo_labels(rle):
    shape = (10, 12)

    def box(x, w):
        mask = np.zeros(shape)
        mask[2:6, x : x + w] = 1
        return rle(mask)

    def annotation(key, category, segmentation, **extra):
        own = dict(id=key, image_id=1, category_id=category)
        return {**own, 'segmentation': segmentation, **extra}

    images = {1: dict(id=1, height=10, width=12), 2: dict(id=2, height=10, width=12)}
    gt = [annotation(5, 3, box(0, 4)), annotation(6, 8, box(6, 4))]
    # Other ids than the objects' and more labels than objects: matched by overlap.
    pseudo = [
        annotation(1, 3, box(6, 4), score=0.2),
        annotation(2, 3, box(0, 4), score=0.9),
        annotation(3, 8, box(6, 2), score=0.5),
        annotation(4, 8, box(0, 9), iscrowd=1),
    ]
    names = {3: 'nut', 8: 'bo|t', 9: 'gear'}
    found = pseudo_label_ap(pseudo, gt, images, names)
    assert found['AP50'] == 1 and found['AP75'] == pytest.approx(0.5)
    assert found['ABO'] == pytest.approx(0.75)
    assert found['per_class'] == [
        dict(name='nut', objects=1, AP50=1.0, ABO=1.0),
        dict(name='bo|t', objects=1, AP50=1.0, ABO=0.5),
    ]
    assert '| bo\\|t | 1 | 100.0 | 50.0 |' in ap_section(found)
    unscored = [{k: v for k, v in one.items() if k != 'score'} for one in pseudo]
    assert pseudo_label_ap(unscored, gt, images, names)['AP50'] == pytest.approx(0.75)
    empty = pseudo_label_ap([], [], images, names)
    assert empty['AP50'] is None and empty['per_class'] == []
    json.dumps(empty, allow_nan=False)
    pseudo[1]['segmentation'] = dict(size=[3, 3], counts='1')
    with pytest.raises(ValueError, match='annotation id 2 of image id 1'):
        pseudo_label_ap(pseudo, gt, images, names)


@pytest.mark.parametrize(
    ('pred', 'gt', 'message'),
    [
        ([[0, 7]], [[0, 1]], 'pred/a.png: the labels has the value 7|pred/a.png.* 7'),
        ([[0, 1]], [[0, 9]], 'pred/a.png: the ground truth has the value 9'),
        ([[0, 1]], [[0, 1, 1]], r'pred/a.png.*\(1, 2\).*\(1, 3\)'),
        ([[0, 1]], None, 'gt/a.png does not exist'),
        (None, [[0, 1]], 'pred has no label maps'),
        ([[[0, 0, 1], [0, 0, 1]]], [[0, 1]], 'pred/a.png .* mode RGB'),
    ],
)
def test_semantic_maps_that_cannot_be_judged(tmp_path, pred, gt, message):
    for name, values in (('pred', pred), ('gt', gt)):
        (tmp_path / name).mkdir()
        if values is not None:
            Image.fromarray(np.array(values, np.uint8)).save(tmp_path / name / 'a.png')
    arguments = tmp_path / 'pred', tmp_path / 'gt', tmp_path / 'out'
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        report_of_maps(*arguments, classes=['nut', 'bolt'])
    assert not (tmp_path / 'out').exists()


def test_maps_of_the_ground_truth_without_a_label_map_are_counted(tmp_path):
    for name, count in (('pred', 1), ('gt', 3)):
        (tmp_path / name).mkdir()
        for number in range(count):
            values = np.array([[0, 1, 255]], np.uint8)
            Image.fromarray(values).save(tmp_path / name / f'{number}.png')
    arguments = tmp_path / 'pred', tmp_path / 'gt', tmp_path / 'out'
    summary = report_of_maps(*arguments, classes=['nut', 'bolt'])
    assert (summary['images'], summary['images_left_out']) == (1, 2)
    text = (tmp_path / 'out' / 'quality.md').read_text()
    assert 'on 1 images (2 images of the ground truth have no pseudo labels)' in text
