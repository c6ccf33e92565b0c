"""Compare a weakly-supervised final model with its fully-supervised baseline.

Retention is ``100 * weak / full`` of the same metric and the same final model. All
files come from ``tools/test.py --metrics-out``::

    python tools/analysis_tools/retention.py exits.json full.json --out retention.json

With several runs of the baseline, which differ in their seed, it is that of their mean,
and their range stands beside it: the noise floor, below which a difference says
nothing::

    python tools/analysis_tools/retention.py exits.json full_seed*.json
"""

import argparse
import sys
from pathlib import Path

from mmwsis.engine.user_errors import user_errors
from mmwsis.evaluation.retention import format_retention, read_metrics, retention_table
from mmwsis.utils.fileio import atomic_write_json


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('weak', type=Path, help='metrics of the weak final model')
    parser.add_argument(
        'full', type=Path, nargs='+', help='metrics under full supervision, of each run'
    )
    parser.add_argument('--out', type=Path, metavar='JSON', help='also write a file')
    args = parser.parse_args()
    try:
        rows = retention_table(*map(read_metrics, (args.weak, *args.full)))
        if args.out is not None:
            table = {row.metric: row.as_json() for row in rows}
            atomic_write_json(args.out, table, indent=1)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(format_retention(rows))
    return 0


if __name__ == '__main__':
    with user_errors():
        sys.exit(main())
