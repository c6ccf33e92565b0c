"""Convert a ViT checkpoint (MAE, timm, transformers) to the names of mmwsis."""

import argparse
import sys

from mmwsis.engine.user_errors import user_errors
from mmwsis.models.convert_encoder import convert_encoder
from mmwsis.models.encoder_key_maps import SOURCES

EXAMPLES = """examples:
  # the MAE release, once, for machines without internet
  python tools/model_converters/mae2mmwsis.py mae_pretrain_vit_base.pth \\
      checkpoints/mae_vit-b.pth

  # only the encoder of a finished stage, 3 times smaller than the checkpoint
  python tools/model_converters/mae2mmwsis.py \\
      work_dirs/similarity-extractor_vit-b_coco/epoch_1.pth checkpoints/extractor.pth

Configs also read the original files; converting only saves space and time.
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', help='checkpoint file or URL')
    parser.add_argument('target', help='file to write')
    parser.add_argument(
        '--naming',
        default='auto',
        choices=('auto', *SOURCES),
        help="whose parameter names the source has (default: '%(default)s')",
    )
    return parser.parse_args()


def main() -> None:
    """Convert one file."""
    args = parse_args()
    try:
        count = convert_encoder(args.source, args.target, args.naming)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{count} encoder parameters written to {args.target}')


if __name__ == '__main__':
    with user_errors():
        main()
