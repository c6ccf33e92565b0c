r"""Weak panoptic's labels with each switch of its refinement off in turn.

CONFIG and CHECKPOINT are a semantic network, TRUTH is the panoptic JSON of the images
that it labels. Labels of every variant are made and measured; what is finished is kept,
``--table`` only reads. The network is trained on none of them: ``ablation_study.py``
does that.

    python benchmarks/label_switches.py \
        configs/weak_panoptic/semantic_pspnet-r18_synthetic.py \
        work_dirs/semantic_pspnet-r18_synthetic/round1/iter_300.pth \
        data/synthetic/annotations/panoptic_train.json --root work_dirs/switches
    python benchmarks/label_switches.py CONFIG CHECKPOINT TRUTH --only none 'CRF'
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study_runs import REPOSITORY, SeedRuns

from mmwsis.engine.user_errors import user_errors
from mmwsis.utils.markdown import markdown_table

PLACE = 'model.test_cfg.refinement.'
# What is off, or otherwise than the released code has it.
VARIANTS = {
    'none': (),
    'CRF': ('crf=None',),
    'score': ('score_thr=None',),
    'tags': ('tags=False',),
    'merge': ('merge=False',),
    'box prior': ('box_prior=False',),
    'fill': ('low_iou=None',),
    'fill, of whole boxes': ('full_box=True',),
    'fill, over things': ('keep_things=False',),
    'instances': ('instances=False',),
}
COLUMNS = {
    'mIoU': 'mIoU',
    'of things': 'mIoU_th',
    'of stuff': 'mIoU_st',
    'of decided pixels': 'mIoU_decided',
    'ignored': 'ignored',
    'PQ': 'PQ',
}


class Run(SeedRuns):
    """The labels of one variant.

    Args:
        args: Of the command line.
        variant: One of :data:`VARIANTS`.
    """

    def __init__(self, args: argparse.Namespace, variant: str) -> None:
        name = re.sub(r'\W+', '_', variant)
        self.folder = args.root.resolve() / name
        super().__init__(Path.cwd(), 0, self.folder / 'log.txt')
        self.args, self.variant = args, variant

    @property
    def figures(self) -> dict[str, Any] | None:
        """Of the labels; None before they are measured."""
        return self.read(str(self.folder), 'quality/quality.json')

    def run(self) -> None:
        """Make the labels and measure them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        labels = self.folder / 'labels.json'
        dataset = self.args.dataset
        options = [PLACE + option for option in VARIANTS[self.variant]]
        options += self.args.cfg_options
        self.tool(
            *('tools/generate_pseudo_labels.py', REPOSITORY / self.args.config),
            *(self.args.checkpoint, '--artifact', 'panoptic_maps', '--out', labels),
            *(['--dataset', Path(dataset).resolve()] if dataset else []),
            *(['--cfg-options', *options] if options else []),
        )
        script = 'tools/analysis_tools/pseudo_label_quality.py'
        out = self.folder / 'quality'
        self.tool(script, labels, self.args.truth, '--out-dir', out)


def table(runs: Sequence[Run]) -> str:
    """Write the results as Markdown.

    Args:
        runs: Of the study.
    """
    cells = [
        [run.variant, *(f'{run.figures[key]:.3f}' for key in COLUMNS.values())]
        for run in runs
        if run.figures is not None
    ]
    return markdown_table(['off', *COLUMNS], cells, text_columns=1)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', metavar='CONFIG', help='below the repository')
    parser.add_argument('checkpoint', metavar='CHECKPOINT')
    parser.add_argument('truth', metavar='TRUTH', help='panoptic JSON')
    parser.add_argument('--dataset', help='dataset file, instead of that of CONFIG')
    parser.add_argument('--root', type=Path, default=Path('work_dirs/switches'))
    parser.add_argument(
        '--only', nargs='+', default=list(VARIANTS), choices=VARIANTS, metavar='NAME'
    )
    parser.add_argument('--table', action='store_true', help='print the table only')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    return parser.parse_args(argv)


def main() -> None:
    """Make and measure what is missing, and print the table."""
    args = parse_args()
    runs = [Run(args, name) for name in args.only]
    for run in runs if not args.table else ():
        if run.figures is None:
            run.run()
            print(f'{run.variant}: mIoU {run.figures["mIoU"]:.3f}', flush=True)
    print(f'\n{table(runs)}')


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        main()
