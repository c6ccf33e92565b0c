"""Detections: which are loaded, and that they stay on their objects."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmdet.datasets.transforms import RandomFlip, Resize

from mmwsis.datasets.transforms import (
    LoadDetections,
    PackWeakInputs,
    RandomCropOrPad,
    RandomMirror,
    RandomRescale,
)

THINGS = ('cat', 'dog')
SIZE = 20, 30


def written(folder, rows=((0, (4, 6, 10, 8), 0.9),), name='found.json', **changes):
    """A COCO JSON of detections: label, x, y, width, height, score."""
    content = dict(
        images=[dict(id=7, file_name='7.jpg', height=20, width=30)],
        # In another order, with other ids than labels.
        categories=[dict(id=5, name='dog'), dict(id=3, name='cat')],
        annotations=[
            dict(
                id=number,
                image_id=7,
                category_id=(3, 5)[label],
                bbox=list(box),
                score=score,
            )
            for number, (label, box, score) in enumerate(rows)
        ],
    )
    path = folder / name
    path.write_text(json.dumps({**content, **changes}))
    return str(path)


def sample(**more):
    return dict(
        img_id=7,
        img=np.zeros((*SIZE, 3), np.uint8),
        img_shape=SIZE,
        ori_shape=SIZE,
        height=SIZE[0],
        width=SIZE[1],
        classes=(*THINGS, 'sky'),
        stuff_classes=('sky',),
        category_ids=[3, 5, 9],
        **more,
    )


def test_the_best_are_loaded(tmp_path):
    rows = [
        (0, (4, 6, 10, 8), 0.6),
        (1, (0, 0, 5, 5), 0.9),
        (1, (0, 0, 5, 5), 0.9),  # repeated ones are kept
        (0, (1, 1, 2, 2), 0.49),
        (0, (2.5, 1, 2, 2.25), 0.5),
    ]
    load = LoadDetections(written(tmp_path, rows), max_per_img=3)
    found = pickle.loads(pickle.dumps(load)).transform(sample())['detections']
    assert found['bboxes'].tolist() == [[0, 0, 5, 5], [0, 0, 5, 5], [4, 6, 14, 14]]
    assert found['labels'].tolist() == [1, 1, 0]
    np.testing.assert_allclose(found['scores'], [0.9, 0.9, 0.6])
    load = LoadDetections(written(tmp_path, rows), score_thr=0.0)
    found = load.transform(sample())['detections']
    assert len(found['scores']) == 5
    assert found['bboxes'][3].tolist() == [2.5, 1, 4.5, 3.25]
    assert 'score_thr=0.0' in repr(load)


def test_a_list_of_results_and_mmdetections_dataset(tmp_path):
    rows = json.loads(Path(written(tmp_path)).read_text())['annotations']
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(rows))
    found = LoadDetections(str(path)).transform(sample())['detections']
    assert found['labels'].tolist() == [0]
    panoptic = sample(text=THINGS, stuff_text=('sky',))
    for key in ('classes', 'stuff_classes', 'category_ids'):
        del panoptic[key]
    load = LoadDetections(written(tmp_path))
    assert load.transform(dict(panoptic))['detections']['labels'].tolist() == [0]
    del panoptic['text']
    with pytest.raises(KeyError, match='return_classes=True'):
        LoadDetections(written(tmp_path)).transform(panoptic)


def filled(results):
    """Pixels whose centres the first detection holds."""
    height, width = results['img'].shape[:2]
    x1, y1, x2, y2 = results['detections']['bboxes'][0]
    y, x = np.mgrid[:height, :width] + 0.5
    return (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)


@pytest.mark.parametrize('seed', range(8))
def test_detections_stay_on_their_objects(tmp_path, seed):
    np.random.seed(seed)
    results = sample()
    results['gt_seg_map'] = np.zeros(SIZE, np.uint8)
    results['gt_seg_map'][6:14, 4:14] = 1
    results = LoadDetections(written(tmp_path)).transform(results)
    results = RandomRescale(scale=(0.5, 2.0)).transform(results)
    results = RandomMirror(prob=0.5).transform(results)
    results = RandomCropOrPad(24).transform(results)
    found, expected = filled(results), results['gt_seg_map'] == 1
    assert expected.any() and (found != expected).sum() <= 0.1 * expected.sum() + 30
    packed = PackWeakInputs(with_tags=False).transform(results)['data_samples']
    assert packed.detections.labels.tolist() == [0]
    assert packed.detections.bboxes.shape == (1, 4)


def test_mirrored_boxes_are_exact(tmp_path):
    results = LoadDetections(written(tmp_path)).transform(sample())
    results = RandomMirror(prob=1.0).transform(results)
    assert results['detections']['bboxes'].tolist() == [[16, 6, 26, 14]]


@pytest.mark.parametrize(
    'box, kept',
    [((0, 0, 10.4, 5), 0), ((0, 0, 10.6, 5), 1), ((2, 2, 0.1, 0.1), 0)],
)
def test_a_window_drops_what_holds_no_pixel_of_it(tmp_path, box, kept):
    load = LoadDetections(written(tmp_path, [(0, box, 0.9)]))
    crop = RandomCropOrPad(10).transform_with(load.transform(sample()), top=0, left=10)
    assert len(crop['detections']['scores']) == kept
    assert len(crop['detections']['bboxes']) == kept


def test_transforms_that_leave_them_behind_are_refused(tmp_path):
    load, pack = LoadDetections(written(tmp_path)), PackWeakInputs(with_tags=False)
    for transform in (Resize(scale=(60, 40)), RandomFlip(prob=1.0)):
        with pytest.raises(ValueError, match='image id 7: .* use the transforms'):
            pack.transform(transform(load.transform(sample())))
        with pytest.raises(ValueError, match=r'must stand before .* \(image id 7\)'):
            load.transform(transform(sample()))


def test_an_image_without_detections_has_none(tmp_path):
    found = LoadDetections(written(tmp_path, [])).transform(sample())
    found = RandomCropOrPad(10).transform(found)
    found = PackWeakInputs(with_tags=False).transform(found)['data_samples']
    assert found.detections.bboxes.shape == (0, 4) and not len(found.detections.labels)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(score=1.5), r'found.json: image id 7, detection 0: score must lie in'),
        (dict(score=float('nan')), 'image id 7, detection 0: score must lie in'),
        (dict(category_id=9), 'image id 7, detection 0: category_id 9 is none of'),
        (dict(bbox=[1, 2, 3]), 'image id 7, detection 0: bbox must be'),
    ],
)
def test_broken_entries_are_named(tmp_path, changes, message):
    row = dict(image_id=7, category_id=3, bbox=[1, 2, 3, 4], score=0.9) | changes
    categories = [
        dict(id=number, name=name) for number, name in ((3, 'cat'), (5, 'dog'))
    ]
    categories.append(dict(id=9, name='sky'))
    path = written(tmp_path, categories=categories, annotations=[row])
    with pytest.raises(ValueError, match=message):
        LoadDetections(path).transform(sample())


def test_things_stand_before_stuff(tmp_path):
    results = sample()
    results['classes'] = ('sky', *THINGS)
    with pytest.raises(ValueError, match='must name things before stuff'):
        LoadDetections(written(tmp_path)).transform(results)


@pytest.mark.parametrize('setting', [dict(score_thr=2), dict(max_per_img=-1)])
def test_settings_are_checked(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        LoadDetections('found.json', **setting)
