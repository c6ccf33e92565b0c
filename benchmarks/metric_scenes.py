"""Scenes for benchmarks of metrics: objects with a void ring, moved as predictions."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as coco_mask

SHAPE, NUM_CLASSES, PREDICTIONS = (375, 500), 20, 10
CLASSES = tuple(f'class {label}' for label in range(NUM_CLASSES))


class Scene(NamedTuple):
    """One image: a map of objects (0 background, 255 void) and predictions."""

    owner: np.ndarray
    gt_labels: np.ndarray
    pred: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    @property
    def gt(self) -> np.ndarray:
        """Masks of the objects."""
        return self.owner == np.arange(1, len(self.gt_labels) + 1)[:, None, None]


def make_scene(rng: np.random.Generator) -> Scene:
    """Ellipses with a void ring, and moved, resized copies as predictions."""
    owner = np.zeros(SHAPE, np.uint8)
    shapes = []
    for index in range(1, rng.integers(2, 5)):
        centre = [int(v) for v in rng.uniform(0.2, 0.8, 2) * SHAPE[::-1]]
        axes = [int(v) for v in rng.uniform(20, 110, 2)]
        shapes.append((centre, axes, float(rng.uniform(0, 180))))
        cv2.ellipse(owner, *shapes[-1], 0, 360, index, -1)
        cv2.ellipse(owner, *shapes[-1], 0, 360, 255, 5)
    present = [k for k in range(1, len(shapes) + 1) if (owner == k).any()]
    owner[:] = np.where(owner == 255, 255, np.searchsorted([0, *present], owner))
    gt_labels = rng.integers(0, NUM_CLASSES, len(present))
    pred = np.zeros((PREDICTIONS, *SHAPE), np.uint8)
    labels = np.zeros(PREDICTIONS, np.int64)
    for number in range(PREDICTIONS):
        pick = rng.integers(len(present))
        (x, y), axes, angle = shapes[present[pick] - 1]
        centre = x + int(rng.normal(0, 15)), y + int(rng.normal(0, 15))
        axes = [max(3, int(v * rng.uniform(0.7, 1.3))) for v in axes]
        cv2.ellipse(pred[number], centre, axes, angle, 0, 360, 1, -1)
        guess = rng.random() < 0.7
        labels[number] = gt_labels[pick] if guess else rng.integers(NUM_CLASSES)
    return Scene(owner, gt_labels, pred.astype(bool), labels, rng.random(PREDICTIONS))


def label_maps(scenes: list[Scene]) -> tuple[list, list]:
    """The scenes as panoptic and as semantic maps; predictions by rank, best on top."""
    panoptic, semantic = [], []
    for scene in scenes:
        pred = np.zeros(SHAPE, np.int64)
        for index in np.argsort(scene.scores):
            pred[scene.pred[index]] = index + 1
        gt = np.where(scene.owner == 255, 0, scene.owner.astype(np.int64) + 1)
        background = NUM_CLASSES
        gt_segments = [dict(id=1, category_id=background)] + [
            dict(id=k + 2, category_id=int(c)) for k, c in enumerate(scene.gt_labels)
        ]
        shown = np.unique(pred)
        pred_segments = [
            dict(
                id=int(k) + 1, category_id=int(scene.labels[k - 1]) if k else background
            )
            for k in shown
        ]
        panoptic.append((gt, pred + 1, gt_segments, pred_segments))
        gt_class = np.concatenate([[0], scene.gt_labels + 1])
        owner = np.where(scene.owner == 255, 0, scene.owner)
        semantic.append(
            (
                np.where(scene.owner == 255, 255, gt_class[owner]).astype(np.uint8),
                np.concatenate([[0], scene.labels + 1])[pred].astype(np.uint8),
            )
        )
    return panoptic, semantic


def write_ground_truth(
    folder: Path, scenes: list[Scene], panoptic: list, count: int
) -> None:
    """COCO JSONs of ``count`` images; the scenes are used in turn."""

    def text(mask: np.ndarray) -> dict:
        code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        return dict(size=code['size'], counts=code['counts'].decode())

    images, annotations, entries = [], [], []
    coded = [([text(g) for g in s.gt], text(s.owner == 255)) for s in scenes]
    for image_id in range(count):
        number = image_id % len(scenes)
        masks, void = coded[number]
        image = dict(id=image_id, file_name='x.jpg', void=void)
        images.append({**image, 'height': SHAPE[0], 'width': SHAPE[1]})
        for mask, label in zip(masks, scenes[number].gt_labels):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=int(label),
                    iscrowd=0,
                    segmentation=mask,
                    bbox=coco_mask.toBbox(mask).tolist(),
                    area=int(coco_mask.area(mask)),
                )
            )
        info = panoptic[number][2]
        file = f'{number}.png'
        entries.append(dict(image_id=image_id, file_name=file, segments_info=info))
    for number, (gt, *_) in enumerate(panoptic):
        bgr = np.zeros((*SHAPE, 3), np.uint8)
        bgr[..., 2] = gt
        cv2.imwrite(str(folder / f'{number}.png'), bgr)
    names = [*CLASSES, 'background']
    categories = [dict(id=k, name=name) for k, name in enumerate(names)]
    plain = dict(images=images, annotations=annotations, categories=categories[:-1])
    (folder / 'instances.json').write_text(json.dumps(plain))
    plain = dict(images=images, annotations=entries, categories=categories)
    (folder / 'panoptic.json').write_text(json.dumps(plain))


def samples_of(scenes: list[Scene], panoptic: list) -> list[DetDataSample]:
    samples = []
    for scene, (_, pred, _, segments) in zip(scenes, panoptic):
        codes = np.zeros(pred.max() + 1, np.int64)
        for segment in segments:
            codes[segment['id']] = segment['category_id'] + 1000 * segment['id']
        sample = DetDataSample(metainfo=dict(ori_shape=SHAPE))
        sample.pred_panoptic_seg = PixelData(sem_seg=torch.tensor(codes[pred])[None])
        sample.pred_instances = InstanceData(
            masks=torch.tensor(scene.pred),
            labels=torch.tensor(scene.labels),
            scores=torch.tensor(scene.scores),
            bboxes=torch.zeros(len(scene.pred), 4),
        )
        samples.append(sample)
    return samples
