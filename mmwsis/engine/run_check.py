"""All checks of a run before its first step; what they find comes in one message."""

import os
import sys
from collections.abc import Iterator, Sequence

from mmengine.config import Config

from .disk_space import Need, artifact_space, checkpoint_space, space_problems
from .preflight import PreflightError
from .ranks import is_first_of_machine
from .run_rules import RULES, SPLITS, TOGETHER, Run, label_file

# What a tool cannot do without; tools/test.py and generation name their own, too.
_NEEDED = dict(
    train=('model', *TOGETHER['train']),
    test=('model',),
    generate=('model', 'pseudo_label_dataloader'),
)
_VERBS = dict(train='be trained', test='be tested', generate='make pseudo labels')


def check_run(
    cfg: Config,
    task: str,
    outputs: Sequence[str | os.PathLike | None] = (),
    artifact: str | None = None,
) -> None:
    """Check everything that a run needs, on the first process of a machine.

    Args:
        cfg: Config of the run.
        task: ``'train'``, ``'test'`` or ``'generate'``.
        outputs: What it writes besides ``work_dir``; ``None`` is left out.
        artifact: What generation makes. Defaults to what the config says.

    Raises:
        PreflightError: All problems, in one message.
    """
    if not is_first_of_machine():
        return
    lacking = [key for key in _NEEDED[task] if cfg.get(key) is None]
    if lacking:
        raise PreflightError(
            f'{cfg.filename or "this config"} has no {", ".join(lacking)}: it is no '
            f'config that can {_VERBS[task]}.'
        )
    run = Run(cfg, task, [path for path in outputs if path], artifact=artifact)
    found = list(run_problems(run))
    errors, warnings = space_problems(run_space(run))
    for text in warnings:
        print(f'warning: {text}', file=sys.stderr)
    if found or errors:
        raise PreflightError(one_message([*found, *errors]))


def run_problems(run: Run) -> Iterator[str]:
    """Find all that would end a run.

    Args:
        run: The run. One whose config has no loader for its task is not looked at:
            its tool will say so.

    Yields:
        Messages, each of one problem.
    """
    needed = 'train' if run.task == 'train' else SPLITS[run.task][0]
    if not run.cfg.get(f'{needed}_dataloader'):
        return
    for rule in RULES:
        try:
            yield from rule(run)
        except (OSError, ValueError) as error:  # one that a helper has raised
            yield str(error)


def one_message(problems: Sequence[str]) -> str:
    """Write problems as one text.

    Args:
        problems: At least one; what stands twice is written once.
    """
    problems = list(dict.fromkeys(problems))
    if len(problems) == 1:
        return problems[0]
    lines = [f'{len(problems)} problems:']
    for number, text in enumerate(problems, start=1):
        lines.append(f'{number:3d}. ' + text.replace('\n', '\n     '))
    return '\n'.join(lines)


def run_space(run: Run) -> list[Need]:
    """Disk space that a run needs; nothing where it cannot be estimated.

    Args:
        run: The run.
    """
    try:
        if run.task == 'train':
            return checkpoint_space(run.cfg, run.outline.megabytes)
        files = [run.made.stand_in(label_file(one) or '') for _, one in run.loaders]
        if run.task == 'generate' and files and files[0] and files[0].is_file():
            artifact = run.artifact or run.cfg.get('artifact')
            return artifact_space(artifact, run.outputs[0], files[0])
    except (OSError, ValueError):  # what is wrong with the files is told elsewhere
        pass
    return []
