"""What stops a run, as an exception, for the tests of single checks."""

from mmwsis.engine.preflight import PreflightError
from mmwsis.engine.run_rules import RULES, Run


def check_labels(cfg):
    """Raise the first problem of the label files of a training and of their images."""
    rules = {rule.__name__: rule for rule in RULES}
    for name in ('_labels', '_images'):
        for problem in rules[name](Run(cfg, 'train')):
            raise PreflightError(problem)
