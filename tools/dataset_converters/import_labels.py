"""Import labels from LabelMe, CVAT, Label Studio or YOLO into one weak COCO JSON."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    running,
)
from mmwsis.dataset_converters.conversion import shorten
from mmwsis.dataset_converters.importers.import_labels import (
    TOOLS,
    ImportResult,
    ImportSettings,
    import_labels,
)
from mmwsis.dataset_converters.importers.records import (
    CHANGED,
    INVALID,
    LEFT_OUT,
    WARNING,
)
from mmwsis.dataset_converters.importers.settings import NO_CLASSES
from mmwsis.engine.user_errors import user_errors
from mmwsis.structures.supervision import Supervision

EXAMPLES = """examples:
  # a folder of LabelMe files; the images lie beside them
  python tools/dataset_converters/import_labels.py --from labelme bolts/labels \\
      --img-dir bolts/images --out bolts/extreme_points.json

  # CVAT, exported as "CVAT for images 1.1" (the zip or the XML)
  python tools/dataset_converters/import_labels.py --from cvat task_7.zip \\
      --img-dir bolts/images --classes bolt nut --out bolts/boxes.json

  # Label Studio, exported as "JSON"; the labels of one annotator, as points
  python tools/dataset_converters/import_labels.py --from labelstudio project.json \\
      --img-dir bolts/images --annotator anna@example.org --level points \\
      --report left_out.json --out bolts/points.json

Clicks, boxes, polygons and masks become objects, image flags, tags and choices become
image tags. Four clicks of one group or shape are extreme points. Each image gets the
strongest level that all its objects have, as images[].supervision. What a label file
cannot say (circles, lines, ...) is counted and listed. Exit code 1: nothing was
written.
"""
SHOWN = 20
TITLES = {
    LEFT_OUT: 'left out',
    CHANGED: 'changed',
    INVALID: 'broken, left out',
    WARNING: 'warning',
}
LEVELS = [level.label for level in Supervision]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('input', help='file or folder of the labelling tool')
    parser.add_argument('--from', dest='tool', required=True, choices=TOOLS)
    parser.add_argument('--out', required=True, help='file to write')
    parser.add_argument(
        '--img-dir', type=Path, help='image folder (default: that of the input)'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='class names, ids 1 to n in this order, or a text file with one per line '
        '(default: the names found, sorted)',
    )
    parser.add_argument(
        '--ignore-labels',
        dest='ignored',
        nargs='+',
        default=[],
        metavar='NAME',
        help='labels that are no classes',
    )
    parser.add_argument(
        '--stuff',
        nargs='+',
        default=[],
        metavar='NAME',
        help='classes without objects (sky, grass): image tags only',
    )
    parser.add_argument(
        '--level',
        default='masks',
        choices=LEVELS,
        help='no image gets a stronger level (default: %(default)s)',
    )
    parser.add_argument(
        '--points-from-boxes',
        action='store_true',
        help='the middle of a box stands for a click where an image needs points',
    )
    parser.add_argument(
        '--quads',
        default='polygon',
        choices=('polygon', 'extreme_points'),
        help='what polygons of four corners are (default: %(default)s)',
    )
    parser.add_argument(
        '--split-points',
        action='store_true',
        help='every click of a shape of several (CVAT) is an object; by default four '
        'are the extreme points of one, and other numbers are left out',
    )
    parser.add_argument(
        '--holes',
        nargs='*',
        default=list(NO_CLASSES),
        metavar='NAME',
        help='labels that are cut out of the masks drawn before them; without a name: '
        'none (default: %(default)s)',
    )
    parser.add_argument(
        '--rotated',
        default='enclose',
        choices=('enclose', 'skip'),
        help='rotated boxes: keep the upright box around them, or leave them out '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--missing-images',
        default='error',
        choices=('error', 'skip', 'keep'),
        help='images that are not in the image folder: an error, unless the folder '
        'holds no image at all; leave their labels out; or keep them '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--image-key', metavar='KEY', help='Label Studio: key of the image in data'
    )
    parser.add_argument(
        '--to-name',
        metavar='NAME',
        help='Label Studio: image whose results are taken, where tasks show several',
    )
    parser.add_argument(
        '--annotator',
        default='latest',
        metavar='WHO',
        help='Label Studio: latest, first, or the id or e-mail of an annotator '
        '(default: %(default)s; ground truth goes before)',
    )
    parser.add_argument(
        '--predictions',
        action='store_true',
        help='Label Studio: where nobody annotated a task, the prediction of a model '
        'counts',
    )
    parser.add_argument(
        '--keep-ids',
        action='store_true',
        help='objects that tools/export_labels.py has written keep the ids of their '
        'annotations; the others get new ids and "is_new": true',
    )
    parser.add_argument(
        '--drop-empty', action='store_true', help='leave out images without a label'
    )
    parser.add_argument(
        '--strict', action='store_true', help='stop if anything is left out or changed'
    )
    parser.add_argument(
        '--report', metavar='FILE', help='JSON of all that was left out or changed'
    )
    add_run_options(parser, 'leave broken labels out instead of stopping')
    args = parser.parse_args(argv)
    args.level = Supervision.parse(args.level)
    one = args.classes[0] if args.classes and len(args.classes) == 1 else ''
    if one.endswith('.txt') and not os.path.isfile(one):
        parser.error(f'--classes: there is no file {one}')
    if one and os.path.isfile(one):
        try:
            text = Path(one).read_text(encoding='utf-8-sig')
        except UnicodeDecodeError as error:
            parser.error(f'--classes: {one} is no UTF-8 text: {error}')
        args.classes = [line.strip() for line in text.splitlines() if line.strip()]
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Import, and say what was written and what was not."""
    args = parse_args(argv)
    names = [field.name for field in dataclasses.fields(ImportSettings)]
    settings = ImportSettings(**{name: getattr(args, name) for name in names})
    with running(args, 'labels') as run:
        result = import_labels(
            args.tool, args.input, args.out, settings, report=args.report, run=run
        )
    print_result(result, args.out, args.report)


def print_result(result: ImportResult, out: str, report: str | None) -> None:
    """Say what was written on stdout, and what was not on stderr."""
    coco = result.coco
    levels = coco['info']['mmwsis']['images_by_level']
    print(
        f'{out}: {len(coco["images"])} images ('
        + ', '.join(f'{level} {number}' for level, number in levels.items())
        + f'), {len(coco["annotations"])} objects, {len(coco["categories"])} classes'
    )
    if result.empty_images:
        print(f'{result.empty_images} images have no label; --drop-empty drops them')
    if result.clicks_in_one:
        print(
            f'{result.clicks_in_one} x four clicks in one shape: the extreme points of '
            'an object; if every click is an object, say --split-points'
        )
    if result.missing_images:
        print(
            f'{len(result.missing_images)} images are not in the image folder, the '
            f'first is {result.missing_images[0]}',
            file=sys.stderr,
        )
    for kind, title in TITLES.items():
        own = [issue for issue in result.issues if issue.kind == kind]
        if not own:
            continue
        counts = ', '.join(
            f'{number} x {what}' for what, number in result.count(kind).most_common()
        )
        print(f'{title}: {counts}', file=sys.stderr)
        shown = len(own) if report is None else SHOWN
        lines = shorten([str(issue) for issue in own], shown, f' in {report}')
        print(lines, file=sys.stderr)


if __name__ == '__main__':
    with user_errors():
        main()
