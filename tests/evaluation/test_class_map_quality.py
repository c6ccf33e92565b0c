"""Mean IoU of class maps, while training and of a folder."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

from mmwsis.evaluation.class_map_quality import (
    THRESHOLDS,
    class_map_quality,
    count_pixels,
)
from mmwsis.evaluation.label_map_report import report_of_maps
from mmwsis.evaluation.metrics import ClassMapMetric
from mmwsis.formats.class_maps import encode_class_maps
from mmwsis.formats.map_index import INDEX_NAME

CLASSES = ('nut', 'bolt', 'gear')
SHAPE = (12, 17)


@pytest.fixture
def scenes(tmp_path, write_coco):
    """Five images: masks, tags, responses; one without objects, one with void."""
    rng = np.random.default_rng(0)
    images, maps = [], []
    for number in range(5):
        labels = [[0, 1], [2], [], [1, 1], [0, 2]][number]
        masks = []
        for _ in labels:
            mask = np.zeros(SHAPE, bool)
            y, x = rng.integers(0, 6, 2)
            mask[y : y + 5, x : x + 8] = True
            masks.append(mask)
        image = dict(masks=masks, labels=labels)
        if number == 4:
            image['void'] = np.zeros(SHAPE, bool)
            image['void'][:3] = True
        images.append(image)
        present = np.unique(np.array(labels, dtype=np.int64))
        responses = rng.random((len(present), *SHAPE)).astype(np.float32)
        # As written to disk; some exactly on a threshold, some equal.
        responses = (responses * 20).round() / 20
        maps.append((present, responses.astype(np.float16).astype(np.float32)))
    file = tmp_path / 'masks.json'
    write_coco(file, images, CLASSES, SHAPE)
    return file, images, maps


def naive_miou(images, maps, threshold):
    """Argmax over ``[threshold, maps...]``, pixel by pixel."""
    inter, union = np.zeros(4), np.zeros(4)
    for image, (labels, responses) in zip(images, maps):
        truth = np.zeros(SHAPE, int)
        judged = ~image.get('void', np.zeros(SHAPE, bool))
        areas = [-(mask & judged).sum() for mask in image['masks']]
        for index in np.argsort(areas, kind='stable'):
            truth[image['masks'][index]] = image['labels'][index] + 1
        background = np.full((1, *SHAPE), threshold, np.float32)
        choice = np.concatenate([background, responses]).argmax(0)
        pred = np.concatenate([[0], labels + 1])[choice]
        for label in range(4):
            here, there = truth[judged] == label, pred[judged] == label
            inter[label] += (here & there).sum()
            union[label] += (here | there).sum()
    return (inter / union).mean()


def predicted(image_id, labels, responses):
    sample = DetDataSample(metainfo=dict(img_id=image_id))
    sample.pred_class_maps = InstanceData(
        labels=torch.from_numpy(labels), high_res=torch.from_numpy(responses)
    )
    return sample.to_dict()


def test_metric_equals_the_argmax_at_every_threshold(scenes):
    file, images, maps = scenes
    metric = ClassMapMetric(str(file))
    metric.dataset_meta = dict(classes=CLASSES)
    samples = [predicted(i, *found) for i, found in enumerate(maps)]
    metric.process(None, samples[:2])
    metric.process(None, [*samples[2:], samples[0]])  # a repeated one counts once
    figures = metric.compute_metrics(metric.results)
    expected = {t: naive_miou(images, maps, t) for t in metric.thresholds}
    assert figures['mIoU'] == pytest.approx(expected[0.15])
    assert figures['mIoU_best'] == pytest.approx(max(expected.values()))
    assert expected[figures['best_threshold']] == max(expected.values())
    other = ClassMapMetric(str(file), threshold=0.33)
    other.dataset_meta = metric.dataset_meta
    other.process(None, samples)
    value = other.compute_metrics(other.results)['mIoU']
    assert value == pytest.approx(naive_miou(images, maps, 0.33))


def test_what_cannot_be_judged_names_the_image(scenes):
    file, _, maps = scenes
    metric = ClassMapMetric(str(file), map_name='walk')
    metric.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(ValueError, match=r"image id 0: .*'walk', only \['high_res'"):
        metric.process(None, [predicted(0, *maps[0])])
    metric = ClassMapMetric(str(file))
    metric.dataset_meta = dict(classes=CLASSES)
    labels, responses = maps[0]
    with pytest.raises(ValueError, match=r'image id 0: expected 2 maps .*\(12, 17\)'):
        metric.process(None, [predicted(0, labels, responses[:, :4])])


def test_classes_that_do_not_occur_are_left_out():
    truth = np.zeros(SHAPE, np.int64)
    truth[:4] = 2
    maps = (truth == 2).astype(np.float32)[None] * 0.99
    counts = count_pixels(maps, np.array([1]), truth, 3)
    figures = class_map_quality([counts], 3)
    assert [one.miou for one in figures] == [1.0] * len(THRESHOLDS)
    assert np.isnan(figures[0].iou[[1, 3]]).all()


def write_folder(folder, kind, entries, classes):
    folder.mkdir()
    rows = []
    for image_id, content in enumerate(entries):
        file = f'{image_id}.npz' if kind == 'class_maps' else f'{image_id}.png'
        (folder / file).write_bytes(content)
        rows.append(dict(id=image_id, file=file))
    index = dict(type=kind, classes=classes, images=rows)
    (folder / INDEX_NAME).write_text(json.dumps(index))


def test_report_of_a_folder_of_class_maps(scenes, tmp_path):
    file, images, maps = scenes
    entries = [
        encode_class_maps(labels, SHAPE, dict(high_res=responses))
        for labels, responses in maps[:4]
    ]
    write_folder(tmp_path / 'maps', 'class_maps', entries, CLASSES)
    summary = report_of_maps(tmp_path / 'maps', file, tmp_path / 'out')
    assert (summary['images'], summary['images_left_out']) == (4, 1)
    for row in summary['per_threshold']:
        expected = naive_miou(images[:4], maps[:4], row['threshold'])
        assert row['mIoU'] == pytest.approx(expected)
    assert summary['mIoU'] == summary['per_threshold'][2]['mIoU']
    assert [row['name'] for row in summary['per_class']] == ['background', *CLASSES]
    text = (tmp_path / 'out' / 'quality.md').read_text()
    assert f'{100 * summary["mIoU_best"]:.1f}' in text
    content = json.loads((tmp_path / 'out' / 'quality.json').read_text())
    assert content == summary


def test_report_of_semantic_maps_against_instances(scenes, tmp_path):
    file, images, _ = scenes
    names = ['background', *CLASSES]
    right = np.zeros(SHAPE, np.uint8)
    right[images[1]['masks'][0]] = 3
    entries = []
    for values in (np.full(SHAPE, 255, np.uint8), right):
        Image.fromarray(values).save(tmp_path / 'map.png')
        entries.append((tmp_path / 'map.png').read_bytes())
    write_folder(tmp_path / 'maps', 'semantic_maps', entries, names)
    summary = report_of_maps(tmp_path / 'maps', file, tmp_path / 'out')
    assert summary['mIoU_decided'] == 1 and summary['decided'] == 0.5
    write_folder(tmp_path / 'stuff', 'semantic_maps', entries, names[1:])
    with pytest.raises(ValueError, match='without a background'):
        report_of_maps(tmp_path / 'stuff', file, tmp_path / 'out')
