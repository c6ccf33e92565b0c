"""Measure pseudo labels against ground-truth masks before training on them.

Without GT only what shows without it: whether masks fill their boxes, are next to empty
or empty, whether maps are of one class everywhere; a warning says so.

PSEUDO and GT are two COCO instance files, two COCO panoptic files, or two folders of
semantic label maps; a folder with an index.json says its classes itself. A folder that
label generation wrote, of class maps or of semantic maps, and a file of points (clicks,
or cues that a network found) are also compared with a COCO instance file, semantic maps
with a panoptic one; so is a folder of mask proposals, as by proposal_recall.py.
"""

import argparse
import os

from mmwsis.engine.user_errors import user_errors
from mmwsis.evaluation.collapse_report import (
    collapse_section,
    write_collapse_report,
)
from mmwsis.evaluation.compare_files import compare_files
from mmwsis.evaluation.label_map_report import map_report_markdown, report_of_maps
from mmwsis.evaluation.point_report import point_markdown, report_of_points
from mmwsis.evaluation.proposal_recall_report import (
    recall_markdown,
    report_of_proposals,
)
from mmwsis.evaluation.quality_report import write_quality_report

EXAMPLES = """examples:
  python tools/analysis_tools/pseudo_label_quality.py \\
      data/synthetic/pseudo_labels/exits.json \\
      data/synthetic/annotations/instances_train.json \\
      --img-dir data/synthetic/train --out-dir work_dirs/quality/exits_synthetic

  python tools/analysis_tools/pseudo_label_quality.py \\
      data/coco/pseudo_labels/panoptic.json \\
      data/coco/annotations/panoptic_val2017.json --out-dir work_dirs/quality/panoptic
  python tools/analysis_tools/pseudo_label_quality.py \\
      data/voc/pseudo_labels/semantic data/voc/SegmentationClass \\
      --classes configs/data_specs/voc.py --background \\
      --out-dir work_dirs/quality/semantic
  python tools/analysis_tools/pseudo_label_quality.py \\
      data/voc/class_maps/irnet data/voc/annotations/instances_train.json \\
      --out-dir work_dirs/quality/class_maps
  python tools/analysis_tools/pseudo_label_quality.py \\
      data/voc/pseudo_labels/points.json data/voc/annotations/instances_train.json \\
      --out-dir work_dirs/quality/points

  python tools/analysis_tools/pseudo_label_quality.py \\
      data/bolts/pseudo_labels/exits.json --out-dir work_dirs/quality/bolts

Writes quality.json and quality.md: IoU and AP of instances, PQ of panoptic files, mean
IoU of semantic maps, and of class maps at a threshold of 0.15 and at the best one; of
points the share that lies in an object of their class, and of objects that one point,
none or several hit (also quality.png); of proposals their recall. The PNGs of a
panoptic file are looked for in the folder of its name without .json.

For instances also quality.png and worst.png; ground truth of some of the images is
enough. Masks of known objects are compared by annotation id, instances that a labeler
found in whole images by overlap: the file says what it holds, --match overrules it. The
column "filled boxes" says how good the boxes themselves (weak ones, else those of the
ground truth) would be as masks.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('pseudo', help='pseudo labels, COCO JSON or folder of maps')
    parser.add_argument(
        'gt', nargs='?', help='ground truth of the same images, of the same kind'
    )
    parser.add_argument('--out-dir', required=True, help='folder for the report')
    parser.add_argument(
        '--match',
        choices=('auto', 'id', 'overlap'),
        default='auto',
        help='how objects find their pseudo label',
    )
    parser.add_argument('--img-dir', help='folder of the images, for worst.png')
    parser.add_argument(
        '--worst', type=int, default=20, help='objects in worst.png (0: none)'
    )
    parser.add_argument(
        '--separated-min-part',
        type=int,
        default=16,
        metavar='PIXELS',
        help='least size of a part of a separated object',
    )
    parser.add_argument(
        '--separated',
        metavar='FILE',
        help='COCO JSON of the separated objects, from separated_coco.py (default: '
        'those whose ground truth falls into several parts)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes for files of more than 5000 objects',
    )
    maps = parser.add_argument_group('maps')
    maps.add_argument(
        '--pseudo-seg-dir', help='folder of the PNGs of a panoptic PSEUDO'
    )
    maps.add_argument('--gt-seg-dir', help='folder of the PNGs of a panoptic GT')
    maps.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='names of the values 0, 1, ... in semantic maps, or one config with '
        'metainfo or data_spec',
    )
    maps.add_argument(
        '--background',
        action='store_true',
        help='value 0 of semantic maps is background and the classes start at 1',
    )
    args = parser.parse_args()
    if args.workers < 1 or args.worst < 0:
        parser.error('--workers must be at least 1, --worst at least 0')
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    points = report_of_points(args.pseudo, args.gt, args.out_dir)
    if points is not None:
        print(point_markdown(points) + f'\nreport in {args.out_dir}')
        return
    if args.gt is None:
        report = write_collapse_report(args.pseudo, args.out_dir, args.pseudo_seg_dir)
        print(f'{collapse_section(report["collapse"])}\n\nreport in {args.out_dir}')
        return
    recall = report_of_proposals(args.pseudo, args.gt, args.out_dir)
    if recall is not None:
        print(recall_markdown(recall, 'quality.png') + f'\nreport in {args.out_dir}')
        return
    maps = report_of_maps(
        args.pseudo,
        args.gt,
        args.out_dir,
        classes=args.classes,
        background=args.background,
        pseudo_seg_dir=args.pseudo_seg_dir,
        gt_seg_dir=args.gt_seg_dir,
    )
    if maps is not None:
        print(map_report_markdown(maps) + f'\nreport in {args.out_dir}')
        return
    comparison = compare_files(
        args.pseudo,
        args.gt,
        args.separated_min_part,
        args.workers,
        separated_path=args.separated,
        match=args.match,
    )
    summary = write_quality_report(comparison, args.out_dir, args.img_dir, args.worst)
    print(f'{"objects":12}{"number":>9}{"IoU":>8}{"boxes":>8}{"recall.5":>10}')
    for group, number in summary['instances'].items():
        print(
            f'{group:12}{number:9}{summary["class_mean_iou"][group]:8.3f}'
            f'{summary["filled_boxes"][group]:8.3f}{summary["recall50"][group]:10.3f}'
        )
    if summary['edge_offsets']:
        sides = ', '.join(f'{k} {v:+.2f}' for k, v in summary['edge_offsets'].items())
        print(f'sides of the masks, predicted minus true: {sides} px')
    precision = summary['average_precision']
    if precision['AP50'] is not None:
        print(f'AP50 {precision["AP50"]:.3f}, ABO {precision["ABO"]:.3f}')
    for warning in summary['collapse']['warnings']:
        print(f'warning: {args.pseudo}: {warning}')
    print(f'coverage {summary["coverage"]:.3f}; report in {args.out_dir}')


if __name__ == '__main__':
    with user_errors():
        main()
