"""Labels that collapsed are told from labels of real shapes, without ground truth."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from forked_tools import run_forked
from pycocotools import mask as coco_mask

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.evaluation.collapse_report import write_collapse_report
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.ops import encode_filled_box
from mmwsis.pseudo_labels import collapse, generate_pseudo_labels
from mmwsis.pseudo_labels.collapse import (
    dominant_class,
    dominant_value,
    map_collapse,
    mask_collapse,
)

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/pseudo_label_quality.py'
SHAPE = 80, 100


def annotation(mask, weak=None, category_id=1, image_id=1, **keys):
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    own = dict(
        image_id=image_id,
        category_id=category_id,
        bbox=coco_mask.toBbox(rle).tolist(),
        area=int(coco_mask.area(rle)),
        segmentation=dict(size=rle['size'], counts=rle['counts'].decode()),
        **keys,
    )
    return own if weak is None else dict(own, weak_bbox=weak)


def coco(annotations, classes=1, images=1):
    for number, entry in enumerate(annotations, 1):
        entry.setdefault('id', number)
    return dict(
        images=[
            dict(id=k + 1, file_name=f'{k + 1}.png', height=SHAPE[0], width=SHAPE[1])
            for k in range(images)
        ],
        annotations=annotations,
        categories=[dict(id=k + 1, name=f'class{k + 1}') for k in range(classes)],
    )


def ellipses(count=40, seed=0):
    """Ellipses of all sizes and angles, and the boxes around them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mask = np.zeros(SHAPE, dtype=np.uint8)
        centre = rng.integers(20, 60, 2).tolist()
        axes = rng.integers(3, 20, 2).tolist()
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        rle = coco_mask.encode(np.asfortranarray(mask))
        yield mask, coco_mask.toBbox(rle).tolist()


def filled(box, margin=0):
    x, y, w, h = (int(v) for v in box)
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[y + margin : y + h - margin, x + margin : x + w - margin] = 1
    return mask


def speck(box):
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[int(box[1] + box[3] / 2), int(box[0] + box[2] / 2)] = 1
    return mask


@pytest.mark.parametrize('weak', [None, list])
def test_ellipses_are_fine(weak):
    found = mask_collapse(
        coco([annotation(m, weak and weak(box)) for m, box in ellipses(200)])
    )
    assert found['warnings'] == []
    assert 0.55 < found['median_fill'] < collapse.ELLIPSE + 0.03
    assert found['filled'] < 0.02 and found['nearly_empty'] == 0


@pytest.mark.parametrize('weak', [None, list])
@pytest.mark.parametrize('margin', [0, 1])
def test_filled_boxes_are_told(weak, margin):
    found = mask_collapse(
        coco(
            [
                annotation(filled(box, margin), weak and weak(box))
                for _, box in ellipses()
                if min(box[2:]) > 7
            ]
        )
    )
    (warning,) = found['warnings']
    assert '% of' in warning and 'masks fill more than 95 % of' in warning
    assert 'books' in warning and 'docs/faq.md' in warning
    assert found['filled'] > 0.95 and found['median_fill'] > 0.95


def test_boxes_as_the_labeler_fills_them():
    entries = [
        annotation(coco_mask.decode(encode_filled_box(box, SHAPE)), box)
        for _, box in ellipses()
    ]
    assert len(mask_collapse(coco(entries))['warnings']) == 1


@pytest.mark.parametrize('weak', [None, list])
def test_single_pixels_are_told(weak):
    entries = [annotation(speck(box), weak and weak(box)) for _, box in ellipses()]
    found = mask_collapse(coco(entries))
    (warning,) = found['warnings']
    assert '100 % of 40 masks fill less than 5 %' in warning
    assert found['nearly_empty'] == 1 and found['filled'] == 0


def test_empty_masks_are_told_and_do_not_count_as_filled():
    entries = [
        annotation(filled(box), box, empty_prediction=True)
        if number % 2
        else annotation(mask, box)
        for number, (mask, box) in enumerate(ellipses())
    ]
    found = mask_collapse(coco(entries))
    (warning,) = found['warnings']
    assert warning.startswith('50 % of 40 predicted masks are empty')
    assert found['empty'] == 0.5 and found['judged'] == 20 and found['filled'] == 0


def test_few_masks_are_enough():
    box = [10, 10, 30, 20]
    assert mask_collapse(coco([annotation(filled(box), box)]))['warnings']
    assert not mask_collapse(coco([]))['warnings']


def test_one_class_among_others_is_named():
    entries = [
        annotation(filled(box) if k % 5 == 4 else mask, box, 2 if k % 5 == 4 else 1)
        for k, (mask, box) in enumerate(ellipses(150))
        if min(box[2:]) > 7
    ]
    found = mask_collapse(coco(entries, classes=3))
    assert found['filled'] < collapse.MAX_FILLED
    (warning,) = found['warnings']
    assert '(class2 100 %)' in warning
    assert [row['name'] for row in found['per_class']] == ['class1', 'class2']


def test_images_where_all_masks_are_boxes_are_named():
    entries = []
    for k, (mask, box) in enumerate(ellipses(160)):
        dark = k % 40 < 4
        entries.append(annotation(filled(box) if dark else mask, box))
        entries[-1]['image_id'] = 1 + k % 40
    found = mask_collapse(coco(entries, images=40))
    (warning,) = found['warnings']
    assert 'in 10 % of the images' in warning and '1.png, 2.png' in warning
    assert found['filled_image_names'] == ['1.png', '2.png', '3.png', '4.png']


def test_thin_bars_along_the_diagonal_do_not_look_like_specks():
    bar = np.zeros(SHAPE, dtype=np.uint8)
    cv2.line(bar, (10, 10), (60, 60), 1, 6)
    found = mask_collapse(coco([annotation(bar, [10, 10, 50, 50])] * 30))
    assert found['nearly_empty'] == 0 and 0.15 < found['median_fill'] < 0.3


def test_crowds_and_boxes_of_three_pixels_do_not_count():
    small = [annotation(filled([5, 5, 3, 9]), [5, 5, 2, 8]) for _ in range(30)]
    crowds = [annotation(filled([5, 5, 30, 30]), [5, 5, 30, 30], iscrowd=1)]
    found = mask_collapse(coco(small + crowds))
    assert (found['masks'], found['judged'], found['warnings']) == (30, 0, [])


def test_images_where_nothing_was_found():
    content = coco([annotation(mask, None) for mask, _ in ellipses(3)], images=4)
    assert any('no pseudo label' in w for w in mask_collapse(content, True)['warnings'])
    for image in content['images'][1:]:
        image['tags'] = []
    content['images'][0]['tags'] = [1]  # the others hold nothing, says their label
    assert mask_collapse(content, True)['warnings'] == []


def test_true_masks_of_the_synthetic_scenes_are_fine(tmp_path):
    make_synthetic(tmp_path / 'scenes', SyntheticSettings(train=40, val=1))
    truth = tmp_path / 'scenes/annotations/instances_train.json'
    summary = write_collapse_report(truth, tmp_path / 'out')
    assert summary['collapse']['warnings'] == []
    assert summary['collapse']['filled'] < 0.02
    assert (tmp_path / 'out/quality.png').is_file()
    assert 'ellipse' in (tmp_path / 'out/quality.md').read_text()


def test_maps_of_one_class():
    flat, scene = np.full((8, 8), 2), np.arange(64).reshape(8, 8) % 3
    scene[0] = 255
    assert dominant_value(flat) == [2, 1.0]
    assert dominant_value(scene, 255)[1] < 0.5
    assert dominant_value(np.full((2, 2), 255), 255) is None
    names = ('background', 'leaf', 'pool')
    fine = [dominant_value(scene, 255)] * 6
    assert map_collapse(fine + [dominant_value(flat)] * 4, names)['warnings'] == []
    found = map_collapse(fine + [dominant_value(flat)] * 7 + [[0, 1.0]], names)
    (warning,) = found['warnings']
    assert '(pool 7, background 1)' in warning and found['flat'] == 0.5714
    (warning,) = map_collapse([None] * 4, names)['warnings']
    assert 'decide no pixel' in warning


def test_class_maps_are_judged_at_irnets_threshold():
    labels, maps = np.array([1, 4]), np.zeros((2, 6, 6), dtype=np.float32)
    assert dominant_class(labels, [maps[:, :2, :2], maps]) == [0, 1.0]
    maps[1] = 0.4
    maps[0, :2] = 0.9
    assert dominant_class(labels, [maps]) == [5, pytest.approx(2 / 3, abs=1e-4)]
    assert dominant_class(labels[:0], [maps[:0]]) is None


def test_generation_warns_and_writes_it_down(config, scene, monkeypatch):
    logged = []
    monkeypatch.setattr(collapse, 'print_log', lambda text, **_: logged.append(text))
    config.model.test_cfg.mask_thr = (0.0, 0.0, 0.0)  # every pixel is foreground
    out = scene / 'pseudo.json'
    generate_pseudo_labels(config, scene / 'epoch_1.pth', out)
    found = json.loads(out.read_text())['info']['mmwsis']['collapse']
    assert found['filled'] > 0.9 and len(found['warnings']) == 1
    assert logged == [f'{out}: {found["warnings"][0]}']
    summary = write_collapse_report(out, scene / 'out')
    assert summary['collapse'] == found  # measured again, from the masks


def test_tool_without_ground_truth(tmp_path):
    entries = [annotation(filled(box), box) for _, box in ellipses(5)]
    (tmp_path / 'labels.json').write_text(json.dumps(coco(entries)))
    (tmp_path / 'maps').mkdir()
    for name in 'ab':
        content = encode_semantic_map(np.zeros((4, 4), int), ('sky', 'sea'))
        (tmp_path / f'maps/{name}.png').write_bytes(content)
    for pseudo, expected in (('labels.json', 'fill more'), ('maps', 'of one class')):
        command = [sys.executable, str(TOOL), str(tmp_path / pseudo)]
        command += ['--out-dir', str(tmp_path / 'out')]
        shown = run_forked(command)
        assert shown.returncode == 0, shown.stderr
        assert expected in shown.stdout
