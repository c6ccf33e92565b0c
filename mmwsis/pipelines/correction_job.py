"""Exporting pseudo labels for people to correct, and what they have to do then."""

import sys
from pathlib import Path

from mmwsis.utils.hashing import flatten_settings

from .job import Job
from .stages import CorrectionStage

# What goes through labelling tools.
_CORRECTABLE = ('object_masks', 'instances')


def export_job(stage: CorrectionStage, script: Path, shown: Path) -> Job:
    """Make the job that exports the worst labels.

    Args:
        stage: The correction stage.
        script: The tool that lists and exports them.
        shown: The same as it is typed.
    """
    arguments = [stage.pseudo, stage.img_dir, '--out-dir', stage.folder]
    arguments += ['--worst', str(stage.count), '--export', stage.format]
    exported = Path(stage.folder, 'to_correct')
    return Job(
        command=[sys.executable, str(shown), *arguments],
        inputs=[Path(stage.pseudo)],
        outputs=[exported],
        settings=flatten_settings({'args': arguments}),
        scripts=[script],
        resumable=[Path(stage.folder)],
        edited=[exported],
    )


def refuse_other_artifact(pseudo: str, artifact: str) -> None:
    """Refuse labels that no labelling tool takes.

    Args:
        pseudo: Their file.
        artifact: What label generation makes.

    Raises:
        ValueError: They are no masks of objects.
    """
    if artifact not in _CORRECTABLE:
        raise ValueError(
            f'{pseudo} holds {artifact}, which no labelling tool takes; --correct is '
            'for masks of objects.'
        )


def waiting_message(stage: CorrectionStage, root: Path) -> str:
    """What people have to do before the run can go on.

    Args:
        stage: The correction stage, whose export is there.
        root: Directory that relative paths start from.
    """
    folder, returned = root / stage.folder, root / stage.returned
    if stage.format == 'labelme':
        how = f'Correct them where they are:\n  labelme {folder / "to_correct"}'
    else:
        tool = {'cvat': 'CVAT', 'labelstudio': 'Label Studio'}[stage.format]
        kind = {'cvat': '"CVAT for images 1.1"', 'labelstudio': '"JSON"'}[stage.format]
        how = (
            f'Import {folder / "to_correct"} into {tool}, and put what it exports as '
            f'{kind} {"into" if stage.format == "cvat" else "at"}\n  {returned}'
        )
    return (
        f'The {stage.count} labels that look worst wait for corrections, in '
        f'{stage.format} files of the whole images that they are in; '
        f'{folder / "review.html"} shows them.\n{how}\n'
        'Move outlines, delete what is no object, draw what is missing, change wrong '
        'classes; leave the ids alone. Every object of these images counts as '
        'reviewed.\nWhen all is corrected, and not before:\n'
        f'  touch {root / stage.marker}\n'
        'and give the same command again. Until then it stops here and reads nothing; '
        'meanwhile --only final_model final_test trains on the pseudo labels.'
    )
