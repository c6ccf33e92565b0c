"""Time of the metrics against the plain way, on images of VOC's size.

Both run alternately in one process on the same images; the ratio is the median of the
ratios of neighbouring rounds and every row checks that the results agree. Times are
processor seconds, which other processes do not change. The second table is the
registered metrics on all images, once: encoding the predicted masks, reading the ground
truth, matching.

Example:
    OMP_NUM_THREADS=1 python benchmarks/bench_metrics.py --images 1449 --rounds 5
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metric_scenes import (
    CLASSES,
    NUM_CLASSES,
    Scene,
    label_maps,
    make_scene,
    samples_of,
    write_ground_truth,
)
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric

from mmwsis.evaluation.coverage import image_coverage, mean_coverage
from mmwsis.evaluation.instance_ground_truth import ImageObjects
from mmwsis.evaluation.instance_matching import match_image
from mmwsis.evaluation.instance_tables import instance_tables
from mmwsis.evaluation.mask_bits import pack_masks
from mmwsis.evaluation.mask_overlap import mask_overlaps
from mmwsis.evaluation.panoptic_quality import panoptic_counts
from mmwsis.evaluation.predicted_instances import PredictedInstances
from mmwsis.evaluation.semantic_iou import confusion_counts, semantic_quality
from mmwsis.registry import METRICS

THRESHOLDS = (0.25, 0.5, 0.7, 0.75)


# The plain way: full masks, pair by pair, or a sort of all pixels.


def plain_iou(pred: np.ndarray, gt: np.ndarray) -> np.ndarray:
    table = np.zeros((len(pred), len(gt)))
    for row, p in enumerate(pred):
        for column, g in enumerate(gt):
            table[row, column] = (p & g).sum() / max((p | g).sum(), 1)
    return table


def plain_voc(scenes: list[Scene]) -> np.ndarray:
    """AP per class and threshold, one class and threshold after the other."""
    ious = [plain_iou(scene.pred, scene.gt) for scene in scenes]
    result = np.full((NUM_CLASSES, len(THRESHOLDS)), np.nan)
    for label in range(NUM_CLASSES):
        for column, threshold in enumerate(THRESHOLDS):
            ranked, count = [], 0
            for scene, iou in zip(scenes, ious):
                objects = np.flatnonzero(scene.gt_labels == label)
                count += len(objects)
                used = set()
                for index in np.argsort(-scene.scores, kind='stable'):
                    if scene.labels[index] == label:
                        row = iou[index, objects]
                        best = int(row.argmax()) if len(row) else -1
                        found = best >= 0 and row[best] >= threshold
                        ranked.append(
                            (-scene.scores[index], found and best not in used)
                        )
                        if found:
                            used.add(best)
            if count:
                hits = np.array([hit for _, hit in sorted(ranked)], float)
                right = np.cumsum(hits)
                precision = right / np.arange(1, len(hits) + 1)
                recall = np.concatenate([[0], right / count])
                envelope = np.maximum.accumulate(precision[::-1])[::-1]
                result[label, column] = (np.diff(recall) * envelope).sum()
    return result


def plain_coverage(scenes: list[Scene]) -> np.ndarray:
    images = []
    for scene in scenes:
        best = plain_iou(scene.pred, scene.gt).max(axis=0)
        area = scene.gt.sum((1, 2))
        images.append((best.mean(), best @ area / area.sum()))
    return np.mean(images, axis=0)


def plain_panoptic(scenes: list[tuple]) -> np.ndarray:
    """Count by sorting every pixel's pair of ids, then pair by pair."""
    total = np.zeros((NUM_CLASSES + 1, 4))
    for gt_map, pred_map, gt, pred in scenes:
        joint = gt_map.astype(np.uint64) * (1 << 24) + pred_map.astype(np.uint64)
        values, counts = np.unique(joint, return_counts=True)
        inter = {
            (int(v) >> 24, int(v) & 0xFFFFFF): int(n) for v, n in zip(values, counts)
        }
        gt_area = {g['id']: int((gt_map == g['id']).sum()) for g in gt}
        area = {p['id']: int((pred_map == p['id']).sum()) for p in pred}
        category = {g['id']: g['category_id'] for g in gt}
        own = {p['id']: p['category_id'] for p in pred}
        matched = set()
        for (g, p), count in inter.items():
            if g in category and p in own and category[g] == own[p]:
                union = gt_area[g] + area[p] - count - inter.get((0, p), 0)
                if count / union > 0.5:
                    matched |= {('g', g), ('p', p)}
                    total[own[p], 0] += 1
                    total[own[p], 3] += count / union
        for g in category:
            total[category[g], 2] += ('g', g) not in matched
        for p in own:
            on_void = inter.get((0, p), 0) / area[p] > 0.5
            total[own[p], 1] += ('p', p) not in matched and not on_void
    return total


def plain_semantic(maps: list[tuple]) -> np.ndarray:
    """Mmsegmentation's own counting."""
    areas = [
        IoUMetric.intersect_and_union(
            torch.from_numpy(pred.astype(np.int64)),
            torch.from_numpy(gt.astype(np.int64)),
            NUM_CLASSES + 1,
            255,
        )
        for gt, pred in maps
    ]
    total = [sum(column).double() for column in zip(*areas)]
    return IoUMetric.total_area_to_metrics(*total)['IoU']


# Ours, on what the plain way gets.


def objects_of(scene: Scene) -> ImageObjects:
    return ImageObjects(
        pack_masks(scene.gt, scene.owner.shape),
        scene.gt_labels,
        np.zeros(len(scene.gt_labels), bool),
        pack_masks(scene.owner[None] == 255, scene.owner.shape),
    )


def our_voc(scenes: list[Scene]) -> np.ndarray:
    matches = [
        match_image(
            PredictedInstances(
                pack_masks(one.pred, one.owner.shape), one.labels, one.scores
            ),
            objects_of(one),
        )
        for one in scenes
    ]
    tables = instance_tables(matches, NUM_CLASSES)
    return np.stack([tables[f'AP{round(100 * t)}'] for t in THRESHOLDS], axis=1)


def our_coverage(scenes: list[Scene]) -> np.ndarray:
    images = []
    for scene in scenes:
        size = scene.owner.shape
        overlaps = mask_overlaps(
            pack_masks(scene.pred, size), pack_masks(scene.gt, size)
        )
        images.append(image_coverage(overlaps.iou(False), overlaps.gt_area))
    return np.array(mean_coverage(images))


def our_panoptic(scenes: list[tuple]) -> np.ndarray:
    categories = list(range(NUM_CLASSES + 1))
    return sum(panoptic_counts(*scene, categories) for scene in scenes)


def our_semantic(maps: list[tuple]) -> np.ndarray:
    counts = sum(confusion_counts(gt, pred, NUM_CLASSES + 1) for gt, pred in maps)
    return semantic_quality(counts).iou


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def compare(ours: Callable, plain: Callable, data: list, rounds: int) -> list[str]:
    times = []
    for _ in range(rounds):
        own, first = seconds(lambda: ours(data))
        other, second = seconds(lambda: plain(data))
        times.append((own, other))
    difference = np.nanmax(np.abs(np.asarray(first) - np.asarray(second)))
    assert np.array_equal(np.isnan(first), np.isnan(second))
    ratios = sorted(other / own for own, other in times)
    own, other = (1e3 * statistics.median(c) / len(data) for c in zip(*times))
    return [
        f'{own:.2f}',
        f'{other:.2f}',
        f'**{statistics.median(ratios):.1f}×** ({ratios[0]:.1f}–{ratios[-1]:.1f})',
        f'{difference:.0e}',
    ]


def whole_metric(config: dict, samples: list, count: int, classes: tuple) -> tuple:
    """Processor and wall seconds of a metric over a dataset."""
    inputs = [sample.to_dict() for sample in samples]
    start = time.perf_counter()

    def run() -> dict:
        metric = METRICS.build(config)
        metric.dataset_meta = dict(classes=classes)
        for image_id in range(count):
            metric.process(
                None, [{**inputs[image_id % len(inputs)], 'img_id': image_id}]
            )
        return metric.evaluate(count)

    with contextlib.redirect_stdout(io.StringIO()):
        own, found = seconds(run)
    return own, time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=1449)
    parser.add_argument('--scenes', type=int, default=40, help='different images')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    MMLogger.get_instance('bench', log_level='ERROR')
    rng = np.random.default_rng(0)
    scenes = [make_scene(rng) for _ in range(args.scenes)]
    panoptic, semantic = label_maps(scenes)
    print(
        '| metric | against | ours, ms an image | theirs | faster (range) | error |\n'
        + '|---' * 6
        + '|'
    )
    for name, against, ours, plain, data in (
        ('VOC AP, AP^r, AP^r_vol, ABO', 'masks by pairs', our_voc, plain_voc, scenes),
        ('MUCov, MWCov', 'masks by pairs', our_coverage, plain_coverage, scenes),
        ('PQ', '`np.unique` of all pixels', our_panoptic, plain_panoptic, panoptic),
        ('semantic mIoU', 'mmseg', our_semantic, plain_semantic, semantic),
    ):
        row = compare(ours, plain, data, args.rounds)
        print(f'| {name} | {against} | {" | ".join(row)} |', flush=True)
    samples = samples_of(scenes, panoptic)
    print(
        f'\n| metric, {args.images} images | CPU s | wall s | result |\n'
        + '|---' * 4
        + '|'
    )
    with tempfile.TemporaryDirectory() as folder:
        write_ground_truth(Path(folder), scenes, panoptic, args.images)
        ann_file, seg = f'{folder}/instances.json', f'{folder}/panoptic.json'
        coco = dict(type='mmwsis.CocoInstanceMetric', metric='segm')
        pq = dict(type='mmwsis.PanopticQualityMetric', seg_prefix=folder)
        for config, path, key in (
            (dict(type='mmwsis.VOCInstanceMetric'), ann_file, 'voc/AP50'),
            (dict(type='mmwsis.CoverageMetric'), ann_file, 'coverage/MUCov'),
            (pq, seg, 'panoptic/PQ'),
            (coco, ann_file, 'coco/segm_mAP'),
            ({**coco, 'backend': 'faster-coco-eval'}, ann_file, 'coco/segm_mAP'),
        ):
            classes = CLASSES if path == ann_file else (*CLASSES, 'background')
            own, wall, found = whole_metric(
                {**config, 'ann_file': path}, samples, args.images, classes
            )
            name = f'{config["type"]} {config.get("backend", "")}'.rstrip()
            print(
                f'| {name} | {own:.1f} | {wall:.1f} | {key} {found[key]:.4f} |',
                flush=True,
            )


if __name__ == '__main__':
    main()
