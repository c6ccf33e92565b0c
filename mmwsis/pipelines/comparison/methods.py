"""The methods that are compared, and the pipeline file of a run of each."""

import re
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from typing import Any

from mmwsis.utils.fileio import atomic_write_text

# All methods end alike: this model, trained on pseudo labels or on masks.
FINAL_MODEL = 'mmwsis::final_models/solov2_efficientnet-lite0_small.py'
# What is measured or made on the way, and the baseline, which is a run of its own.
_ENDS = ('full_supervision', 'full_test', 'report')


@dataclass(frozen=True)
class Method:
    """A labeler and its supervision.

    Attributes:
        key: Name on the command line and of files.
        title: Name for people.
        level: Its supervision.
        pipeline: Pipeline file.
        family: Methods of one family share stages, and so a folder.
        without: Stages of the pipeline that the final model does not need.
        proposals: Whether it reads mask proposals, which do not depend on the labels.
        data: Which of the pipeline's ``data`` it is; None for the first.
        is_optional: Whether it is compared only where the user asks for it.
        is_given: Whether the user named it, and gives its labels or metrics: there is
            no pipeline that makes them.
    """

    key: str
    title: str
    level: str
    pipeline: str
    family: str
    without: tuple[str, ...] = _ENDS
    proposals: bool = False
    data: str | None = None
    is_optional: bool = False
    is_given: bool = False


_SAM = dict(pipeline='mmwsis::sam/pipeline_small.py', is_optional=True)
_BESTIE = ('network_test', 'map_quality', 'cue_quality', *_ENDS)
METHODS = {
    method.key: method
    for method in (
        Method(
            *('irnet', 'IRNet', 'image_tags', 'mmwsis::irnet/pipeline_small.py'),
            family='irnet',
            without=('cam_components', 'cam_quality', *_ENDS),
        ),
        Method(
            *('bestie', 'BESTIE', 'image_tags', 'mmwsis::bestie/pipeline_small.py'),
            family='irnet',
            without=_BESTIE,
        ),
        Method(
            *('bestie_points', 'BESTIE', 'points'),
            'mmwsis::bestie/pipeline_points_small.py',
            family='irnet',
            without=_BESTIE,
        ),
        Method(
            *('wise', 'WISE', 'points', 'mmwsis::wise/pipeline_small.py'),
            family='wise',
            without=(
                *('proposals', 'val_proposals', 'proposal_recall', 'network_test'),
                *_ENDS,
            ),
            proposals=True,
        ),
        Method(*('mal', 'MAL', 'boxes', 'mmwsis::mal/pipeline_small.py'), family='mal'),
        Method(
            *('exits', 'EXITS', 'extreme_points', 'mmwsis::exits/pipeline_small.py'),
            family='exits',
        ),
        Method(
            *('masks', 'masks', 'masks', 'mmwsis::_base_/pipelines/small.py'),
            family='masks',
            without=(),
        ),
        # Weights that nobody trains here: the user's, or labels made elsewhere.
        Method(
            'sam_points', 'SAM', 'points', family='sam_points', data='points', **_SAM
        ),
        Method('sam_boxes', 'SAM', 'boxes', family='sam_boxes', **_SAM),
        Method(
            *('sam_extreme_points', 'SAM', 'extreme_points'),
            family='sam_extreme_points',
            data='extreme_points',
            **_SAM,
        ),
    )
}
DEFAULT_METHODS = tuple(key for key, one in METHODS.items() if not one.is_optional)
_LEVELS = tuple(
    dict.fromkeys(one.level for one in METHODS.values() if one.level != 'masks')
)


def given_method(text: str) -> Method:
    """A row of the comparison that the user names.

    Args:
        text: ``LABEL:LEVEL``, such as ``SAM 2:boxes``.

    Raises:
        ValueError: It has another form, or there is no such level.
    """
    title, _, level = text.rpartition(':')
    slug = re.sub(r'[^a-z0-9]+', '_', title.lower()).strip('_')
    if not slug or level not in _LEVELS:
        raise ValueError(
            f'--adopt: a row of your own is LABEL:LEVEL with a level of {[*_LEVELS]}; '
            f'given {text!r}'
        )
    key = f'given_{slug}_{level}'
    pipeline = METHODS['masks'].pipeline
    return Method(key, title.strip(), level, pipeline, key, is_given=True)


def pipeline_settings(
    method: Method,
    final_model: str,
    options: dict[str, Any],
    labels: str | None = None,
) -> dict[str, Any]:
    """Change a method's pipeline so that it ends with the shared final model.

    Args:
        method: The method.
        final_model: Config of the final model, absolute or ``'mmwsis::...'``.
        options: Overrides of that config.
        labels: Pseudo labels that take the place of the labeler's. Defaults to None.

    Returns:
        What a pipeline file holds that inherits the method's.
    """
    name = dict(name=method.key, title=f'{method.title} in a comparison')
    training = dict(type='train', config=final_model)
    training['work_dir'] = f'work_dirs/final_models/{method.key}'
    testing = dict(type='test', config=final_model)
    if method.level == 'masks':
        stages = [
            dict(name='final_model', **training, cfg_options=dict(options)),
            dict(name='final_test', **testing),
        ]
        return dict(name, stages=stages)
    source = labels or '{out:pseudo_labels}'
    training['cfg_options'] = {**options, 'train_dataloader.dataset.ann_file': source}
    if labels is not None:
        quality = dict(type='quality', pseudo=labels, gt='{data_root}/{train.ann_file}')
        return dict(
            name,
            stages=[
                dict(name='quality', **quality),
                dict(name='final_model', **training),
                dict(name='final_test', **testing),
            ],
        )
    data: dict[str, Any] = dict(without=list(method.without), refined=final_model)
    data['weak'] = 'final_test'
    common = dict(final_model=training, final_test=testing)
    return dict(name, data={method.data or 'small': data}, common=common)


def write_pipeline(path: Path, method: Method, settings: dict[str, Any]) -> None:
    """Write a pipeline file that inherits a method's.

    Args:
        path: The file.
        method: The method.
        settings: Of :func:`pipeline_settings`.
    """
    # A list of stages, where there is one, takes the place of the method's.
    base = method.pipeline
    if 'stages' in settings:
        base = METHODS['masks'].pipeline
    text = f'_base_ = {base!r}\n\npipeline = {pformat(settings, sort_dicts=False)}\n'
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        atomic_write_text(path, text)
