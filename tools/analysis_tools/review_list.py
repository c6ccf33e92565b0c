"""List pseudo labels, those first that are probably bad, without ground truth.

Every label gets a confidence from what can be measured without a true mask: its score,
the change under the dense CRF, how it fills its box, its parts, contact with the border
of the image, overlap with a neighbour of its class, and the agreement with second
labels of the same objects (--with: mirrored or scaled views, another labeler).
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.exporters.export_labels import (
    FORMATS,
    ExportSettings,
    export_labels,
)
from mmwsis.engine.user_errors import user_errors
from mmwsis.evaluation.label_confidence import FEATURES
from mmwsis.evaluation.matched_quality import matched_by_overlap
from mmwsis.evaluation.review_calibration import (
    calibration,
    calibration_markdown,
    label_ious,
    write_calibration,
)
from mmwsis.evaluation.review_list import ReviewList, review_labels, write_csv
from mmwsis.evaluation.review_page import write_page
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.json_file import read_json
from mmwsis.utils.progress_bar import progress_bar

EXAMPLES = """examples:
  python tools/analysis_tools/review_list.py data/bolts/pseudo_labels/exits.json \\
      data/bolts/train --out-dir work_dirs/review/bolts

  with second labels, from the mirror images and from another labeler:
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --dataset bolts.py \\
        --view mirrored
    python tools/analysis_tools/review_list.py data/bolts/pseudo_labels/exits.json \\
        data/bolts/train --out-dir work_dirs/review/bolts \\
        --with data/bolts/pseudo_labels/exits_mirrored.json \\
        data/bolts/pseudo_labels/mal.json

  the images of the 200 worst labels as a folder to correct with LabelMe:
    python tools/analysis_tools/review_list.py data/bolts/pseudo_labels/exits.json \\
        data/bolts/train --out-dir work_dirs/review/bolts --worst 200 --export labelme

  how well the list finds bad labels, where masks are known:
    python tools/analysis_tools/review_list.py data/synthetic/pseudo_labels/mal.json \\
        data/synthetic/train --gt data/synthetic/annotations/instances_train.json \\
        --out-dir work_dirs/review/synthetic

Writes review.csv (rank, image_id, annotation_id, file_name, class, confidence, one
column a signal) and review.html, one file with a thumbnail for every label that opens
offline and sorts and filters; with --gt also calibration.md and calibration.json; with
--export the folder to_correct, which tools/dataset_converters/apply_corrections.py
takes back. A killed run goes on with the same command. docs/review.md explains the
signals and how far to trust the order.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('pseudo', help='COCO JSON of pseudo labels')
    parser.add_argument(
        'img_dir',
        nargs='?',
        help='folder of the images; without it there is no dense CRF and outlines are '
        'drawn on grey',
    )
    parser.add_argument('--out-dir', required=True, help='folder for the list')
    parser.add_argument(
        '--with',
        dest='seconds',
        nargs='+',
        default=[],
        metavar='FILE',
        help='second labels of the same objects',
    )
    parser.add_argument('--gt', metavar='FILE', help='COCO JSON with true masks')
    parser.add_argument(
        '--rule',
        metavar='FILE',
        help='weights of the signals: the calibration.json of labels like these',
    )
    parser.add_argument(
        '--no-crf',
        action='store_true',
        help='leave out the dense CRF: 20 to 40 ms of a core for each label',
    )
    parser.add_argument(
        '--worst',
        type=int,
        metavar='N',
        help='export the images of the first N labels, with all of their labels',
    )
    parser.add_argument(
        '--export',
        choices=FORMATS,
        help='format of the folder to correct; yolo-seg holds no ids and cannot come '
        'back',
    )
    parser.add_argument(
        '--all',
        action='store_true',
        help='list labels that people have reviewed, too',
    )
    parser.add_argument(
        '--page',
        type=int,
        default=10000,
        metavar='N',
        help='labels in review.html; 0 leaves it out (default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes (default: %(default)s)',
    )
    args = parser.parse_args()
    if (args.worst is None) != (args.export is None):
        parser.error('--worst N and --export FORMAT go together')
    if args.export == 'yolo-seg':
        parser.error(
            '--export yolo-seg: its files hold no ids, so that no correction could '
            'come back; choose another format'
        )
    if args.workers < 1 or args.page < 0 or (args.worst or 1) < 1:
        parser.error('--workers and --worst must be at least 1, --page at least 0')
    if args.export and args.img_dir is None:
        parser.error('--export needs the folder of the images')
    return args


def read_rule(path: str | None) -> dict[str, float] | None:
    """Weights of an earlier calibration.

    Args:
        path: ``calibration.json``; None: those of the project.

    Raises:
        SystemExit: The file has none.
    """
    if path is None:
        return None
    content: Any = read_json(path)
    rule = content.get('fitted') if isinstance(content, dict) else None
    names = {*FEATURES, 'intercept'}
    if (
        not isinstance(rule, dict)
        or not rule.keys() <= names
        or not all(type(value) in (int, float) for value in rule.values())
    ):
        raise SystemExit(
            f'error: {path} has no fitted rule: give the calibration.json of a run '
            'with --gt whose labels were neither all good nor all bad.'
        )
    return rule


def true_ious(pseudo: str, gt: str) -> dict[Any, float]:
    """IoU of every label with its object, before anything else is measured."""
    coco = load_coco(pseudo, 'masks')
    return label_ious(coco, pseudo, gt, matched_by_overlap(coco))


def calibrate(
    found: ReviewList,
    ious: Mapping[Any, float],
    out_dir: Path,
    rule: dict[str, float] | None,
) -> None:
    """Measure the list where masks are known, write and print it."""
    rows = [row for row in found.labels if row.annotation['id'] in ious]
    signals = [row.signals for row in rows]
    measured = np.array([ious[row.annotation['id']] for row in rows])
    result = calibration(signals, measured, rule)
    write_calibration(result, out_dir)
    print(calibration_markdown(result))


def export_worst(found: ReviewList, args: argparse.Namespace, target: Path) -> None:
    """Export the images of the worst labels, with all of their labels."""
    worst = found.labels[: args.worst]
    images = {row.image['id'] for row in worst}
    settings = ExportSettings(img_dir=Path(args.img_dir), images='copy')
    with progress_bar('export') as start:
        # Masks were checked before: what is left out is an empty one.
        run = RunOptions(workers=args.workers, open_progress=start, skip_invalid=True)
        report = export_labels(
            args.pseudo, args.export, target, settings, image_ids=images, run=run
        )
    for number, reason in report.left_out:
        print(
            f'{target}: annotation id {number} has no shape there ({reason}); draw the '
            'object if there is one',
            file=sys.stderr,
        )
    if args.worst > len(worst):
        print(
            f'--worst {args.worst}: there are {len(worst)} labels to review',
            file=sys.stderr,
        )
    print(
        f'{target}: {len(images)} images with the {len(worst)} least trusted labels, '
        f'as {args.export}'
    )


def main() -> None:
    """Run the tool."""
    args = parse_args()
    out_dir, rule = Path(args.out_dir), read_rule(args.rule)
    target, parts = out_dir / 'to_correct', out_dir / 'signals.parts'
    if args.export and target.exists():
        raise SystemExit(
            f'error: {target} exists and may hold corrections. Move it away, or name '
            'another --out-dir.'
        )
    ious = true_ious(args.pseudo, args.gt) if args.gt else None
    found = review_labels(
        args.pseudo,
        args.img_dir,
        args.seconds,
        crf=not args.no_crf,
        workers=args.workers,
        rule=rule,
        parts=parts,
        with_reviewed=args.all,
    )
    if ious is not None:
        calibrate(found, ious, out_dir, rule)
    if args.page:
        page = out_dir / 'review.html'
        write_page(found, page, args.img_dir, args.page, args.workers)
    write_csv(found, out_dir / 'review.csv')
    if args.export:
        export_worst(found, args, target)
    shutil.rmtree(parts)
    counts = {
        'crowds': found.crowds,
        'labels that people have reviewed': found.reviewed,
    }
    left_out = ' and '.join(
        f'{count} {name}' for name, count in counts.items() if count
    )
    rest = f' ({left_out} are left out)' if left_out else ''
    print(f'{len(found.labels)} labels{rest}, least trusted first, in {out_dir}')


if __name__ == '__main__':
    with user_errors('The same command goes on with what is finished.'):
        main()
