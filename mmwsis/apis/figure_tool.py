"""Command line of the tools that draw what a network makes of some images."""

import argparse

from mmengine.config import DictAction

from .inferencer import LabelInferencer


def figure_parser(
    doc: str, config: str, out: str, many: bool = False
) -> argparse.ArgumentParser:
    """Make the parser of a tool that draws one figure.

    Args:
        doc: Docstring of the tool: what it draws, with an example.
        config: Which configs it takes.
        out: Image file that it writes by default.
        many: Whether it takes several checkpoints. Defaults to False.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help=config)
    if many:
        parser.add_argument('checkpoints', nargs='+', help='one or more checkpoints')
    else:
        parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', default=out, help='image file to write')
    parser.add_argument('--num', type=int, default=4, help='number of images or crops')
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda:0')
    parser.add_argument('--dataset', metavar='FILE', help='config of your own dataset')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override config settings'
    )
    return parser


def labeler_of(args: argparse.Namespace) -> LabelInferencer:
    """Load the network that the options of :func:`figure_parser` name."""
    return LabelInferencer(
        args.config, args.checkpoint, args.device, args.cfg_options, args.dataset
    )
