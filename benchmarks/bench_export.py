"""Pseudo-label export without the network, against one object at a time.

Both sides turn JPEG files, boxes and given 128x128 logits into annotations with
run-length codes. Ours is the code behind tools/generate_pseudo_labels.py in one
process: dataset, chunks, labeler (its network replaced by the given logits), part
files, merging. The other side decodes the image for every object, and resizes, pastes
and encodes at image size. Every image size has two rows: without the network, and with
the 512x512 crops that it would be given, where both sides pay the same for Pillow's
bicubic resizing.

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
from typing import Any, NamedTuple
from unittest import mock

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

from mmwsis.datasets.transforms import object_crop
from mmwsis.formats.coco_file import load_coco
from mmwsis.models.labelers import MaskAutoLabeler
from mmwsis.pseudo_labels.artifact import LabelSource
from mmwsis.pseudo_labels.labeling import label_chunks
from mmwsis.pseudo_labels.loading import build_loader
from mmwsis.pseudo_labels.merge import merge_annotations
from mmwsis.pseudo_labels.object_masks import ObjectMasks
from mmwsis.pseudo_labels.parts import PartWriter, read_parts
from mmwsis.pseudo_labels.plan import plan_chunks
from mmwsis.registry import DATASETS

CONFIG = Path(__file__).parents[1] / 'configs/exits/labeler_vit-b_coco.py'
LOGIT_SIDE, CROP_SIDE, WANTED = 128, 512, 3
THRESHOLD, MARGIN = 0.1, 0.3


class GivenLogits(MaskAutoLabeler):
    """A labeler whose network has already run."""

    def __init__(self, logits: dict[int, Tensor]) -> None:
        BaseModel.__init__(self)
        self.test_cfg, self.teacher = dict(self.test_defaults), None
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

    def __init__(
        self, folder: Path, ann_file: Path, logits: dict[int, Tensor], crops: bool
    ) -> None:
        self.folder, self.crops = folder, crops
        cfg = Config.fromfile(str(CONFIG))
        self.loader_cfg = cfg.pseudo_label_dataloader
        self.loader_cfg.num_workers = 0
        self.loader_cfg.dataset.update(
            data_root=f'{folder}/', ann_file=ann_file.name, data_prefix=dict(img='')
        )
        self.loader_cfg.dataset.metainfo = dict(classes=CLASSES)
        self.source = load_coco(str(ann_file), 'extreme_points')
        labels = LabelSource(str(ann_file), self.source)
        self.artifact = ObjectMasks(folder / 'not_written.json', labels)
        # Its cache holds the last four images only: with more, every call starts cold.
        self.dataset = DATASETS.build(self.loader_cfg.dataset)
        self.model = GivenLogits(logits).eval()

    def __call__(self) -> list[dict[str, Any]]:
        """The finished annotations."""
        if self.crops:
            return self.export()
        empty = np.zeros((1, 1, 3), np.uint8)
        with mock.patch.object(object_crop, 'resize_crop', lambda *_: empty):
            return self.export()

    def export(self) -> list[dict[str, Any]]:
        """Plan, label, write part files, merge."""
        dataset = self.dataset
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        chunks = plan_chunks(
            (
                (index, info['ann_id'], info['img_id'])
                for index, info in enumerate(infos)
            ),
            self.loader_cfg.batch_size,
        )
        loader = build_loader(
            dataset, chunks, self.loader_cfg.batch_size, self.loader_cfg
        )
        with tempfile.TemporaryDirectory(dir=self.folder) as parts:
            writer = PartWriter(Path(parts), 'benchmark')
            label_chunks(self.model, loader, self.artifact, writer, lambda count: None)
            writer.close()
            category_ids = [c['id'] for c in self.source['categories']]
            finished = read_parts(Path(parts))
        records = {row['id']: row for chunk in finished.values() for row in chunk}
        return merge_annotations(self.source, category_ids, records)


class OneAtATime:
    """The plain loop: every object on its own, masks at image size."""

    def __init__(
        self, folder: Path, ann_file: Path, logits: dict[int, Tensor], crops: bool
    ) -> None:
        coco = json.loads(ann_file.read_text())
        self.paths = {im['id']: folder / im['file_name'] for im in coco['images']}
        self.annotations, self.logits = coco['annotations'], logits
        self.crops = crops

    def __call__(self) -> list[dict[str, Any]]:
        """The finished annotations."""
        return [self.label(annotation)[0] for annotation in self.annotations]

    def label(self, annotation: dict[str, Any]) -> tuple[dict[str, Any], Tensor | None]:
        """The annotation with its mask, and the crop for the network if wanted."""
        image = np.array(Image.open(self.paths[annotation['image_id']]).convert('RGB'))
        x, y, w, h = annotation['bbox']
        bbox = (x, y, x + w, y + h)
        box = padded_box(bbox)
        crop = network_crop(image, box) if self.crops else None
        box_mask = box_mask_crop(image.shape[:2], bbox, box)
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


def network_crop(image, box):
    """Cut out with wrap-around and resize."""
    rows, columns = np.arange(box[1], box[3]), np.arange(box[0], box[2])
    cut = image[np.ix_(rows % image.shape[0], columns % image.shape[1])]
    crop = Image.fromarray(cut).resize((CROP_SIDE, CROP_SIDE), Image.BICUBIC)
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1).contiguous()


def box_mask_crop(size, bbox, box):
    """The same crop of the box mask, zero outside the image."""
    x0, y0, x1, y1 = box
    full = np.zeros(size, np.uint8)
    full[int(bbox[1]) : int(bbox[3]) + 1, int(bbox[0]) : int(bbox[2]) + 1] = 1
    cut = np.zeros((y1 - y0, x1 - x0), np.uint8)
    seen = full[max(y0, 0) : y1, max(x0, 0) : x1]
    top, left = max(-y0, 0), max(-x0, 0)
    cut[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    mask = Image.fromarray(cut).resize((CROP_SIDE, CROP_SIDE), Image.BICUBIC)
    return torch.from_numpy(np.array(mask))


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


class Comparison(NamedTuple):
    """What was measured at one image size."""

    ratio: Ratio
    objects: int
    memory: tuple[float | None, float | None]
    differing: tuple[int, int]
    same_crops: bool | None


def compare(folder: Path, ann_file: Path, crops: bool, rounds: int) -> Comparison:
    """Both sides in turn, after a warm-up that compares their results."""
    rng = np.random.default_rng(1)
    ids = [a['id'] for a in json.loads(ann_file.read_text())['annotations']]
    logits = {ann_id: blob_logits(rng) for ann_id in ids}
    ours = Ours(folder, ann_file, logits, crops)
    theirs = OneAtATime(folder, ann_file, logits, crops)
    return Comparison(
        differing=differing_pixels(ours(), theirs()),
        same_crops=crops_agree(ours, theirs) if crops else None,
        ratio=alternate(ours, theirs, rounds),
        objects=len(ids),
        memory=(peak_resident_mib(ours), peak_resident_mib(theirs)),
    )


def comparison_row(name: str, result: Comparison, wanted: str) -> str:
    """One line of the table."""
    agreement = f'{result.differing[0]} of {result.objects} masks differ'
    if result.differing[0]:
        agreement += f' ({result.differing[1]} pixels)'
    if result.same_crops is not None:
        agreement += f'; crops {"identical" if result.same_crops else "DIFFER"}'
    return table_row(
        name,
        'decode and paste one object at a time',
        f'{1e3 * result.ratio.first / result.objects:.2f}',
        f'{1e3 * result.ratio.second / result.objects:.2f}',
        str(result.ratio),
        wanted,
        *(mib(value) for value in result.memory),
        agreement,
    )


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
            *('step', 'against', 'ours, ms an object', 'theirs'),
            *('faster (range)', 'wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    with tempfile.TemporaryDirectory() as root:
        for size in args.sizes:
            folder = Path(root) / f'{size[0]}x{size[1]}'
            folder.mkdir()
            ann_file = write_photographs(folder, args.images, [size], args.objects)
            name = f'{size[0]}x{size[1]}, {args.objects} objects an image'
            for crops, title in (
                (False, f'export without the network, {name}'),
                (True, f'the same with the crops for the network, {name}'),
            ):
                result = compare(folder, ann_file, crops, args.rounds)
                wanted = '' if crops else f'≥ {WANTED}×'
                print(comparison_row(title, result, wanted), flush=True)
        if args.profile:
            show_profile(folder, ann_file)


def parse_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'a size is WIDTHxHEIGHT in pixels, such as 640x480; got {text!r}'
        ) from None
    return width, height


def show_profile(folder: Path, ann_file: Path) -> None:
    """Where our side's time goes, by function, at the last size."""
    rng = np.random.default_rng(1)
    ids = [a['id'] for a in json.loads(ann_file.read_text())['annotations']]
    logits = {ann_id: blob_logits(rng) for ann_id in ids}
    profiler = cProfile.Profile()
    profiler.runcall(Ours(folder, ann_file, logits, crops=True))
    pstats.Stats(profiler).sort_stats('tottime').print_stats(25)


if __name__ == '__main__':
    main()
