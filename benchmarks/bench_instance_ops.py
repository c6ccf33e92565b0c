"""Time and memory of what finds instances in maps, against the usual way.

Connected components, peaks, Gaussian centres, grouping and crops, on made-up maps of
the sizes that BESTIE, WISE and weakly-supervised panoptic segmentation have. Every row
runs both implementations alternately in one process on the same input, after a warm-up,
and checks that they agree, as ``bench_irnet_ops.py`` does.

Examples:
    python benchmarks/bench_instance_ops.py --rounds 5
    python benchmarks/bench_instance_ops.py --rounds 5 --only components peaks
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import plain_instances as plain
import torch
import torch.nn.functional as F
from bench_irnet_ops import Row, measure
from side_by_side import announce, argument_parser, table_header
from torch import Tensor

from mmwsis.datasets.transforms import GenerateCenterTargets
from mmwsis.ops import (
    CenterTargets,
    Components,
    cluster_centers,
    connected_components,
    crop_grid,
    draw_centers,
    find_peaks,
    gradcam_label_map,
    group_pixels,
    merge_crop_labels,
    peak_attention,
    region_peaks,
)

NAMES = (
    'components',
    'attention',
    'peaks',
    'centres',
    'blobs',
    'stamps',
    'group',
    'targets',
    'crops',
)


def smooth_maps(num: int, size: tuple[int, int], cell: int) -> Tensor:
    """(num, H, W) maps in [0, 1], bilinear between random values ``cell`` apart."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(
        1, num, *(-(-side // cell) for side in size), generator=generator
    )
    return F.interpolate(coarse, size, mode='bilinear', align_corners=False)[0]


def differ(ours: Any, theirs: Any) -> str:
    pairs = zip(ours, theirs, strict=True)
    error = max(np.abs(np.subtract(*pair)).max(initial=0) for pair in pairs)
    return f'{len(theirs[1])} found, largest difference {error:.0e}'


def components_row(
    size: tuple[int, int], num_classes: int, cell: int, baseline: Callable, name: str
) -> Row:
    label_map = smooth_maps(num_classes + 1, size, cell).argmax(0).byte().numpy()
    kind = f'{num_classes} classes' if cell > 1 else 'white noise'
    return Row(
        f'components, {kind}, {size[0]}x{size[1]}',
        name,
        lambda: connected_components(label_map),
        lambda: baseline(label_map),
        differ,
        '≥ 1×' if cell > 1 else '–',
    )


def objects(size: tuple[int, int], num: int = 14) -> tuple[Tensor, Components]:
    """Ellipses of 5 classes with offsets to their centres, and their components."""
    rng = np.random.default_rng(0)
    label_map = np.zeros(size, dtype=np.uint8)
    for index in range(num):
        centre = rng.uniform(0.1, 0.9, 2) * size[::-1]
        axes = rng.uniform(0.05, 0.13, 2) * size[0]
        cv2.ellipse(
            label_map,
            (*(map(int, centre)),),
            (*(map(int, axes)),),
            float(rng.uniform(0, 180)),
            0.0,
            360.0,
            1 + index % 5,
            -1,
        )
    found = connected_components(torch.from_numpy(label_map))
    centroids = torch.cat([torch.zeros(1, 2), found.centroids.float()])
    grid = torch.meshgrid(*map(torch.arange, size), indexing='ij')
    offsets = centroids[found.labels].permute(2, 0, 1).flip(0) - torch.stack(grid)
    return offsets, found


def attention_row(shape: tuple[int, ...]) -> Row:
    """The activation and its gradient, in the classifier of BESTIE."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(shape, generator=generator).requires_grad_()

    def trained(activate: Callable) -> Tensor:
        features.grad = None
        out = activate(features, 0.7)
        out.backward(torch.ones_like(out))
        return torch.stack([out.detach(), features.grad])

    return Row(
        f'peak attention with its gradient, {"x".join(map(str, shape))}',
        'ReLU, adaptive pool, where',
        lambda: trained(peak_attention),
        lambda: trained(plain.peak_attention),
        lambda ours, theirs: f'equal: {torch.equal(ours, theirs)}',
        '≥ 1×',
    )


def peaks_row(
    maps: Tensor, kernel_size: int, window_maximum: Callable, name: str, wanted: str
) -> Row:
    def peaks() -> tuple[np.ndarray, ...]:
        found = find_peaks(maps, kernel_size, min_score=0.1)
        return found.labels.numpy(), found.points.numpy(), found.scores.numpy()

    return Row(
        f'peaks, {kernel_size}x{kernel_size}, {"x".join(map(str, maps.shape))}',
        name,
        peaks,
        lambda: plain.filtered_peaks(maps, kernel_size, 0.1, window_maximum),
        differ,
        wanted,
    )


def centres_row(size: tuple[int, int]) -> Row:
    """Centre detection in every component of a crop (BESTIE's refinement)."""
    _, found = objects(size)
    heat = smooth_maps(1, size, 24)

    def restricted() -> list[Tensor]:
        points = []
        for number, (x1, y1, x2, y2) in enumerate(found.boxes.tolist(), start=1):
            box = slice(y1, y2), slice(x1, x2)
            part = heat[(slice(None), *box)]
            mask = (found.labels[box] == number) & (part[0] > 0.3)
            points.append(
                find_peaks(part, 41, mask=mask).points + torch.tensor([x1, y1])
            )
        return points

    return Row(
        f'centres in {len(found.areas)} components, 41x41, {size[0]}x{size[1]}',
        'max_pool2d of the image for each',
        restricted,
        lambda: plain.pooled_centres(heat, found.labels, len(found.areas)),
        lambda a, b: f'{sum(map(len, b))} found, equal: {plain.same_points(a, b)}',
        '≥ 5×',
    )


def blobs_row(size: tuple[int, int]) -> Row:
    probs = smooth_maps(21, size, 32).softmax(0)
    blobs, scores = connected_components(probs.argmax(0)).labels, probs.amax(0)

    def peaks() -> tuple[np.ndarray, ...]:
        found = region_peaks(blobs, scores)
        return found.labels.numpy(), found.points.numpy(), found.scores.numpy()

    return Row(
        f'peak of each blob, {size[0]}x{size[1]}',
        'argmax of each, one by one',
        peaks,
        lambda: plain.blob_peaks(blobs.numpy(), scores.numpy()),
        differ,
        '≥ 5×',
    )


def stamps_row(size: tuple[int, int], num: int = 30, num_classes: int = 20) -> Row:
    generator = torch.Generator().manual_seed(0)
    points = torch.randint(size[0], (num, 2), generator=generator)
    labels = torch.randint(num_classes, (num,), generator=generator)
    arguments = points, labels, num_classes, size
    return Row(
        f'{num} centres, {num_classes} classes, {size[0]}x{size[1]}',
        'exponential of the whole image for each',
        lambda: draw_centers(*arguments),
        lambda: plain.whole_image_centres(*arguments),
        lambda a, b: f'largest difference {(a - b).abs().max():.0e}',
        '≥ 5×',
    )


def group_row(size: tuple[int, int], num: int = 5) -> Row:
    offsets, found = objects(size)
    mask = found.labels == int(found.areas.argmax()) + 1
    generator = torch.Generator().manual_seed(0)
    centers = torch.randint(size[0], (num, 2), generator=generator)
    offsets = offsets * 0.2
    return Row(
        f'grouping, {num} centres, {int(mask.sum())} pixels of {size[0]}x{size[1]}',
        'distances of all pixels',
        lambda: group_pixels(offsets, centers, mask),
        lambda: plain.dense_groups(offsets, centers, mask),
        lambda a, b: f'{(a != b).sum()} pixels differ',
        '≥ 2×',
    )


def cluster_row(size: tuple[int, int]) -> Row:
    offsets, found = objects(size)
    mask = found.labels > 0
    return Row(
        f'clustered centres, {size[0]}x{size[1]}',
        'each component by its own mask',
        lambda: cluster_centers(offsets, mask).numpy(),
        lambda: plain.looped_clusters(offsets.numpy(), mask.numpy()),
        lambda a, b: (
            f'{len(b)} found, equal: {sorted(a.tolist()) == sorted(b.tolist())}'
        ),
        '≥ 1×',
    )


def targets_row(size: tuple[int, int], num_classes: int) -> Row:
    """Pseudo labels of a crop with one cue in every component (BESTIE's loader)."""
    _, found = objects(size, num=16)  # some overlap: 14 are of 50 pixels and more
    classes = np.append(0, found.classes.numpy())
    semantic_map = classes[found.labels.numpy()].astype(np.uint8)
    # The first pixel of each: the centroid may lie in another one.
    first = np.unique(found.labels.numpy(), return_index=True)[1][1:]
    points = np.stack([first % size[1], first // size[1]], axis=1)
    labels = classes[1:] - 1
    sample = dict(
        img=np.zeros((*size, 3), np.uint8),
        gt_seg_map=semantic_map,
        gt_points=points.astype(np.float64),
        gt_bboxes_labels=labels,
        tags=sorted(set(labels.tolist())),
        num_classes=num_classes,
    )
    transform = GenerateCenterTargets()

    def made() -> CenterTargets:
        return transform(dict(sample))['gt_center_targets']

    def agreement(ours: CenterTargets, theirs: tuple[np.ndarray, ...]) -> str:
        dense = np.zeros_like(theirs[0])
        dense[sample['tags']] = ours.centers
        equal = np.allclose(dense, theirs[0], rtol=0, atol=1e-6) and all(
            np.array_equal(*pair) for pair in zip(ours[1:], theirs[1:])
        )
        return f'{int(theirs[2].sum())} pixels, equal: {equal}'

    return Row(
        f'pseudo labels, {(found.areas >= 50).sum()} objects, {num_classes} classes, '
        f'{size[0]}x{size[1]}',
        'each component by its own mask',
        made,
        lambda: plain.component_targets(semantic_map, points, labels, num_classes),
        agreement,
        '≤ 10 ms',
    )


def crops_row(size: tuple[int, int]) -> Row:
    boxes = crop_grid(size, (size[0] * 25 // 64, size[1] * 125 // 512))
    label = smooth_maps(20, size, 64).argmax(0).byte()
    crops = torch.stack([label[y1:y2, x1:x2] for x1, y1, x2, y2 in boxes.tolist()])
    noise = torch.rand(crops.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    crops[noise] = 255
    return Row(
        f'labels of {len(boxes)} crops joined, {size[0]}x{size[1]}',
        'votes of each of 19 classes',
        lambda: merge_crop_labels(crops, boxes, size),
        lambda: plain.voted_labels(crops, boxes, size, 20),
        lambda a, b: f'{(a != b).sum()} pixels differ',
        '≥ 5×',
    )


def heat_row(size: tuple[int, int]) -> Row:
    heat, labels = smooth_maps(10, size, 24) - 0.3, torch.arange(10)
    return Row(
        f'label map of the heat of {len(labels)} classes, {size[0]}x{size[1]}',
        'argmin of the areas of all classes',
        lambda: gradcam_label_map(heat, labels),
        lambda: plain.smallest_area(heat.numpy(), 0.5),
        lambda a, b: f'{(a.numpy() != b).sum()} pixels differ',
        '≥ 1×',
    )


def build_rows(name: str, shrink: int = 1) -> list[Row]:
    """The comparisons of a name; ``shrink`` divides the sides of all maps."""
    crop, voc, cityscapes = (
        tuple(side // shrink for side in size)
        for size in ((416, 416), (375, 500), (1024, 2048))
    )
    stride_8 = (40, 40)  # of 321x321
    per_class = plain.components_by_class, 'connectedComponentsWithStats for each class'
    one_by_one = plain.components_one_by_one, 'ndimage.label, then each by its own mask'
    pooled = plain.pooled, 'max_pool2d of the whole window', '≥ 5×'
    filtered = plain.filtered, "SciPy's maximum_filter", '≥ 1×'
    build = dict(
        components=lambda: [
            components_row(crop, 3, 48, *per_class),
            components_row(voc, 20, 64, *per_class),
            components_row(voc, 20, 64, *one_by_one),
            components_row(cityscapes, 19, 64, *per_class),
            components_row(voc, 1, 1, *per_class),
        ],
        attention=lambda: [attention_row((5, 512 // shrink, *stride_8))],
        peaks=lambda: [
            peaks_row(maps, size, *baseline)
            for maps, size in (
                (smooth_maps(1, crop, 24), 41),
                (smooth_maps(20, voc, 12), 15),
            )
            for baseline in (pooled, filtered)
        ],
        centres=lambda: [centres_row(crop)],
        blobs=lambda: [blobs_row(voc)],
        stamps=lambda: [stamps_row(crop)],
        group=lambda: [group_row(crop), cluster_row(crop)],
        targets=lambda: [targets_row(crop, classes) for classes in (20, 80)],
        crops=lambda: [
            heat_row((400 // shrink, 500 // shrink)),
            crops_row(cityscapes),
        ],
    )
    return build[name]()


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument(
        '--only', nargs='+', metavar='ROW', choices=NAMES, help=', '.join(NAMES)
    )
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    cv2.setNumThreads(args.threads)
    print(
        table_header(
            *('step', 'against', 'ours, ms', 'ours, wall ms', 'theirs, ms'),
            *('faster (range)', 'wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    for name in args.only or NAMES:
        for row in build_rows(name):
            print(measure(row, args.rounds, 'cpu'), flush=True)


if __name__ == '__main__':
    main()
