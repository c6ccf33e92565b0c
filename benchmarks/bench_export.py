"""Pseudo-label export without the network, against one object at a time.

Both sides turn JPEG files, boxes and given 128x128 logits into annotations with
run-length codes, and prepare the 512x512 crops that a network would need. Ours is the
code behind tools/generate_pseudo_labels.py in one process: data set, units, labeler
(its network replaced by the given logits), part files, merging. The other side decodes
the image for every object, and resizes, pastes and encodes at image size.

Examples:
    python benchmarks/bench_export.py
    python benchmarks/bench_export.py --images 40 --rounds 15
    python benchmarks/bench_export.py --profile
"""

import argparse
import cProfile
import json
import pstats
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.model import BaseModel
from photograph_like import CLASSES, write_photographs
from PIL import Image
from pycocotools import mask as coco_mask
from side_by_side import (
    Ratio,
    alternate,
    announce,
    argument_parser,
    mib,
    peak_resident_mib,
    table_header,
    table_row,
)
from torch import Tensor, nn

from mmwsis.datasets.annotation_file import load_coco
from mmwsis.models.labelers import MaskAutoLabeler
from mmwsis.models.labelers.mask_auto_labeler import TEST_DEFAULTS
from mmwsis.pseudo_labels.labeling import label_units
from mmwsis.pseudo_labels.loading import build_loader
from mmwsis.pseudo_labels.merge import merge_annotations
from mmwsis.pseudo_labels.parts import PartWriter, read_parts
from mmwsis.pseudo_labels.plan import plan_units
from mmwsis.pseudo_labels.progress import GenerationProgress
from mmwsis.registry import DATASETS

CONFIG = Path(__file__).parents[1] / 'configs/exits/labeler_vit-b_coco.py'
LOGIT_SIDE, WANTED = 128, 3
THRESHOLD, MARGIN = 0.1, 0.3


class GivenLogits(MaskAutoLabeler):
    """A labeler whose network has already run."""

    def __init__(self, logits: dict[int, Tensor]) -> None:
        BaseModel.__init__(self)
        self.test_cfg, self.teacher = dict(TEST_DEFAULTS), None
        self.given = logits
        self.anchor = nn.Parameter(torch.zeros(1))  # tells the device

    def predict_logits(self, inputs: dict, data_samples: list) -> Tensor:
        """The given logits of these annotations."""
        return torch.stack([self.given[sample.ann_id] for sample in data_samples])


def blob_logits(rng: np.random.Generator) -> Tensor:
    """Logits of an uneven ellipse, as a labeler gives them for one object."""
    y, x = np.mgrid[-1 : 1 : LOGIT_SIDE * 1j, -1 : 1 : LOGIT_SIDE * 1j]
    axes = rng.uniform(0.45, 0.7, 2)
    ellipse = 1 - (x / axes[0]) ** 2 - (y / axes[1]) ** 2
    rough = cv2.resize(
        rng.normal(size=(16, 16)),
        (LOGIT_SIDE, LOGIT_SIDE),
        interpolation=cv2.INTER_CUBIC,
    )
    return torch.from_numpy((4 * ellipse + 2 * rough).clip(-12, 12)).float()


class Ours:
    """The project's export over some images."""

    def __init__(self, folder: Path, ann_file: Path, logits: dict[int, Tensor]) -> None:
        self.folder = folder
        cfg = Config.fromfile(str(CONFIG))
        self.loader_cfg = cfg.pseudo_label_dataloader
        self.loader_cfg.num_workers = 0
        self.loader_cfg.dataset.update(
            data_root=f'{folder}/', ann_file=ann_file.name, data_prefix=dict(img='')
        )
        self.loader_cfg.dataset.metainfo = dict(classes=CLASSES)
        self.source = load_coco(str(ann_file), 'extreme_points')
        # Its cache holds the last four images only: with more, every call starts cold.
        self.dataset = DATASETS.build(self.loader_cfg.dataset)
        self.model = GivenLogits(logits).eval()

    def __call__(self) -> list[dict[str, Any]]:
        """Plan, label, write part files, merge; the finished annotations."""
        dataset = self.dataset
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        units = plan_units(
            (
                (index, info['ann_id'], info['img_id'])
                for index, info in enumerate(infos)
            ),
            self.loader_cfg.batch_size,
        )
        loader = build_loader(
            dataset, units, self.loader_cfg.batch_size, self.loader_cfg
        )
        with tempfile.TemporaryDirectory(dir=self.folder) as parts:
            writer = PartWriter(Path(parts), 'benchmark')
            progress = GenerationProgress(len(infos), visible=False)
            label_units(self.model, loader, writer, progress)
            writer.close()
            category_ids = [c['id'] for c in self.source['categories']]
            finished = read_parts(Path(parts))
        return merge_annotations(self.source, category_ids, finished)


class OneAtATime:
    """The plain loop: every object on its own, masks at image size."""

    def __init__(self, folder: Path, ann_file: Path, logits: dict[int, Tensor]) -> None:
        coco = json.loads(ann_file.read_text())
        self.paths = {im['id']: folder / im['file_name'] for im in coco['images']}
        self.annotations, self.logits = coco['annotations'], logits

    def __call__(self) -> list[dict[str, Any]]:
        """The finished annotations."""
        return [self.label(annotation)[0] for annotation in self.annotations]

    def label(self, annotation: dict[str, Any]) -> tuple[dict[str, Any], Tensor]:
        """The annotation with its mask, and the crop for the network."""
        image = np.array(Image.open(self.paths[annotation['image_id']]).convert('RGB'))
        x, y, w, h = annotation['bbox']
        box = padded_box((x, y, x + w, y + h))
        crop, box_mask = crop_object(image, (x, y, x + w, y + h), box)
        logits = self.logits[annotation['id']]
        canvas = paste_at_image_size(logits, box_mask, box, image.shape[:2])
        mask = canvas > THRESHOLD
        rle = coco_mask.encode(np.asfortranarray(mask))
        score = canvas[mask].mean(dtype=np.float64) if mask.any() else 0.0
        bbox, area = coco_mask.toBbox(rle).tolist(), int(coco_mask.area(rle))
        rle['counts'] = rle['counts'].decode('ascii')
        found = dict(segmentation=rle, bbox=bbox, area=area, score=round(score, 6))
        return {**annotation, **found}, crop


def padded_box(bbox: Sequence[float]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = bbox
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return (
        int(np.floor(cx - (cx - x0) * (1 + MARGIN))),
        int(np.floor(cy - (cy - y0) * (1 + MARGIN))),
        int(np.ceil(cx + (x1 - cx) * (1 + MARGIN) + 1)),
        int(np.ceil(cy + (y1 - cy) * (1 + MARGIN) + 1)),
    )


def crop_object(image, bbox, box, side=512):
    """Cut out with wrap-around and resize, image and box mask alike."""
    height, width = image.shape[:2]
    full = np.zeros((height, width), np.uint8)
    full[int(bbox[1]) : int(bbox[3]) + 1, int(bbox[0]) : int(bbox[2]) + 1] = 1
    rows, columns = np.arange(box[1], box[3]), np.arange(box[0], box[2])
    wrapped = np.ix_(rows % height, columns % width)
    inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    crop = Image.fromarray(image[wrapped]).resize((side, side), Image.BICUBIC)
    mask = Image.fromarray(full[wrapped] * inside).resize((side, side), Image.BICUBIC)
    pixels = torch.from_numpy(np.array(crop)).permute(2, 0, 1).contiguous()
    return pixels, torch.from_numpy(np.array(mask))


def paste_at_image_size(logits, box_mask, box, size):
    """Probabilities on a canvas of the whole image."""
    x0, y0, x1, y1 = box
    height, width = size
    bilinear = dict(mode='bilinear', align_corners=False)
    prob = F.interpolate(logits[None, None], box_mask.shape, **bilinear).sigmoid()
    prob = F.interpolate(prob * box_mask.float(), (y1 - y0, x1 - x0), **bilinear)[0, 0]
    canvas = torch.zeros(height, width)
    canvas[max(y0, 0) : y1, max(x0, 0) : x1] = prob[
        max(-y0, 0) : height - y0, max(-x0, 0) : width - x0
    ]
    return canvas.numpy()


def differing_pixels(ours: list[dict], theirs: list[dict]) -> tuple[int, int]:
    """Annotations whose mask is not the same, and the pixels that differ in them."""
    if [a['id'] for a in ours] != [a['id'] for a in theirs]:
        raise AssertionError('the two sides labelled other annotations')
    masks = pixels = 0
    for own, other in zip(ours, theirs):
        if own['segmentation'] != other['segmentation']:
            first, second = (coco_mask.decode(a['segmentation']) for a in (own, other))
            masks, pixels = masks + 1, pixels + int((first != second).sum())
    return masks, pixels


def crops_agree(ours: Ours, theirs: OneAtATime) -> bool:
    """Whether both sides would show the network the same pixels."""
    return all(
        torch.equal(ours.dataset[index]['inputs']['image'], theirs.label(annotation)[1])
        for index, annotation in enumerate(theirs.annotations)
    )


def compare(
    folder: Path, images: int, objects: int, rounds: int, size: tuple[int, int]
) -> tuple[str, Ratio, tuple[int, int], bool]:
    """Measure at one image size; the row of the table and what it was made of."""
    folder.mkdir()
    ann_file = write_photographs(folder, images, [size], objects)
    rng = np.random.default_rng(1)
    ids = [a['id'] for a in json.loads(ann_file.read_text())['annotations']]
    logits = {ann_id: blob_logits(rng) for ann_id in ids}
    ours, theirs = (side(folder, ann_file, logits) for side in (Ours, OneAtATime))
    difference = differing_pixels(ours(), theirs())
    same_crops = crops_agree(ours, theirs)
    ratio = alternate(ours, theirs, rounds)
    per_object = [1e3 * total / len(ids) for total in (ratio.first, ratio.second)]
    row = table_row(
        f'export without the network, {size[0]}x{size[1]}, {objects} objects an image',
        'decode and paste one object at a time',
        *(f'{value:.1f}' for value in per_object),
        str(ratio),
        f'≥ {WANTED}×',
        mib(peak_resident_mib(ours)),
        mib(peak_resident_mib(theirs)),
        f'{difference[0]} of {len(ids)} masks differ ({difference[1]} pixels); '
        f'crops {"identical" if same_crops else "DIFFER"}',
    )
    return row, ratio, difference, same_crops


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument('--images', type=int, default=12, help='images of each size')
    parser.add_argument('--objects', type=int, default=7, help='objects an image')
    parser.add_argument(
        '--sizes',
        nargs='+',
        type=parse_size,
        default=[(640, 480), (500, 375)],
        metavar='WxH',
        help='image sizes in pixels (default 640x480, as COCO, and 500x375, as VOC)',
    )
    parser.add_argument(
        '--profile', action='store_true', help='also print where our time goes'
    )
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    cv2.setNumThreads(args.threads if args.threads > 1 else 0)
    print(
        table_header(
            *('step', 'against', 'ours, ms an object', 'theirs, ms an object'),
            *('faster (range)', 'wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            name = Path(folder) / f'{size[0]}x{size[1]}'
            row, *_ = compare(name, args.images, args.objects, args.rounds, size)
            print(row, flush=True)
        if args.profile:
            show_profile(name)


def parse_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'a size is WIDTHxHEIGHT in pixels, such as 640x480; got {text!r}'
        ) from None
    return width, height


def show_profile(folder: Path) -> None:
    """Where our side's time goes, by function."""
    ann_file = folder / 'extreme_points.json'
    rng = np.random.default_rng(1)
    ids = [a['id'] for a in json.loads(ann_file.read_text())['annotations']]
    ours = Ours(folder, ann_file, {ann_id: blob_logits(rng) for ann_id in ids})
    profiler = cProfile.Profile()
    profiler.runcall(ours)
    pstats.Stats(profiler).sort_stats('tottime').print_stats(25)


if __name__ == '__main__':
    main()
