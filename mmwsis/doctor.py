"""``python -m mmwsis.doctor``: another name of :mod:`mmwsis.utils.collect_env`."""

import sys

from mmwsis.utils.collect_env import main

if __name__ == '__main__':
    sys.exit(main())
