"""What stops a run, as an exception, for the tests of single checks."""

from mmwsis.engine.preflight import (
    SPLITS,
    PreflightError,
    class_problems,
    missing_requirements,
)
from mmwsis.engine.run_rules import RULES, Run


def check_labels(cfg):
    """Raise the first problem of the label files of a training and of their images."""
    rules = {rule.__name__: rule for rule in RULES}
    for name in ('_labels', '_images'):
        for problem in rules[name](Run(cfg, 'train')):
            raise PreflightError(problem)


def check_classes(cfg, splits=SPLITS):
    """Raise the first problem of the class names of a config, its files and model."""
    for problem in class_problems(cfg, splits):
        raise PreflightError(problem.message)


def check_requirements(cfg, reader=None):
    """Raise what earlier stages have not made yet."""
    missing = list(missing_requirements(cfg, reader).values())
    if missing:
        raise FileNotFoundError('\n'.join(missing))
