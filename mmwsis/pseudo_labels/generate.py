"""Label generation from start to finished file."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, get_dist_info, get_rank
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmwsis.formats.coco_file import read_json
from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.utils.checkpoint import check_checkpoint_file
from mmwsis.utils.config_files import files_named_in
from mmwsis.utils.process_lock import ProcessLock

from .distributed import on_first_rank
from .labeling import (
    checkpoint_meta,
    find_own_weights,
    label_dataset,
    load_labeler,
    move_labeler,
)
from .manifest import build_manifest, differences, enter_parts, refuse, result_info
from .merge import check_complete
from .object_masks import ObjectMasks
from .parts import PartWriter, parts_folder, read_parts
from .plan import Chunk, Shard
from .progress import generation_progress
from .task import LabelingTask, declared_supervision, plan_task
from .views import viewed_config

_SECOND_JOB = 'Another job is making these pseudo labels right now'


@dataclass
class GenerationOptions:
    """How to run; no mask is changed but by ``batch_size``, ``amp`` and ``view``.

    Attributes:
        batch_size: Samples per batch. Defaults to the config's.
        amp: Run the model under autocast. Defaults to False.
        device: Such as ``'cuda:1'``. Defaults to CUDA where there is some.
        shard: Make one of several independent jobs' share and do not merge. Defaults
            to None: all is made and merged.
        merge: Only merge finished shards. Defaults to False.
        overwrite: Discard a result or parts of another run. Defaults to False.
        keep_parts: Keep the part files after merging. Defaults to False.
        results_out: Also write the bare list of annotations here. Defaults to None:
            it is not written.
        artifact: Kind to make. Defaults to the config's ``artifact``.
        force: Also write a result that would mislead, such as the class maps of a
            classifier at chance. Defaults to False.
        view: Label another view of the images, 'mirrored' or 'scaled', see
            :mod:`mmwsis.pseudo_labels.views`. Defaults to None: the images themselves.
    """

    batch_size: int | None = None
    amp: bool = False
    device: str | None = None
    shard: Shard | None = None
    merge: bool = False
    overwrite: bool = False
    keep_parts: bool = False
    results_out: str | os.PathLike | None = None
    artifact: str | None = None
    force: bool = False
    view: str | None = None


@dataclass(frozen=True)
class _Work:
    """What a run makes, and how."""

    cfg: Config
    checkpoint: Path | None
    own_weights: Mapping[str, str] | None
    options: GenerationOptions
    parts: Path
    task: LabelingTask


def generate_pseudo_labels(
    cfg: Config,
    checkpoint: str | os.PathLike | None,
    out: str | os.PathLike,
    options: GenerationOptions | None = None,
) -> Path:
    """Label the config's ``pseudo_label_dataloader``, every annotation or image.

    The config's ``artifact`` says what is made, by default a mask for each annotation;
    :class:`~mmwsis.pseudo_labels.labeler.Labeler` says what the model must predict.

    Runs on every rank of a launched process group. Finished chunks lie in
    ``<out>.parts``; after a kill the same call goes on from there, with any number of
    ranks. The finished file depends on none of this, to the byte.

    Args:
        cfg: Config of a labeler; ``model.test_cfg`` says how masks are made.
        checkpoint: Checkpoint of that labeler; None for a model without weights, or one
            whose weights the config names.
        out: File to write, or folder of maps.
        options: How to run. Defaults to ``GenerationOptions()``.

    Returns:
        ``out``, or the folder of part files where only a shard was made.

    Raises:
        FileNotFoundError: No checkpoint, annotation file or image.
        ValueError: ``out`` or its parts belong to another run, the dataset hides
            annotations or images, the checkpoint does not fit, or there is none
            though the model has weights; or the result would mislead and is not forced.
    """
    options = options or GenerationOptions()
    out = Path(out)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    own_weights = find_own_weights(cfg.model)
    checkpoint = _require_checkpoint(checkpoint, cfg, own_weights)
    if options.view is not None:
        cfg = viewed_config(cfg, options.view)
    task = plan_task(cfg, out, options.artifact, options.batch_size, options.view)
    work = _Work(cfg, checkpoint, own_weights, options, parts_folder(out), task)
    held = on_first_rank(lambda: _enter(work))
    if held is None:
        print_log(f'{out} is finished already; nothing to do.', logger='current')
        return out
    if not options.merge:
        _label(work)
        if options.shard is not None:
            return work.parts
    on_first_rank(lambda: _finish(work, held))
    return out


def _require_checkpoint(
    checkpoint: str | os.PathLike | None,
    cfg: Config,
    own_weights: Mapping[str, str] | None,
) -> Path | None:
    if own_weights is not None:
        if checkpoint is not None:
            raise ValueError(
                f'{cfg.model.type} brings its weights with it, '
                f'{own_weights["checkpoint"]}; leave the checkpoint {checkpoint} out, '
                'or name other weights in the config.'
            )
        return None
    if checkpoint is None:
        load_labeler(cfg.model, None, 'cpu')  # refuses a model with weights
        return None
    path = Path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(
            f'Checkpoint {path} does not exist; it is made by tools/train.py with the '
            'same config.'
        )
    check_checkpoint_file(path)
    return path


def _maps_read(cfg: Config, source: str) -> list[Path]:
    """What the model or its data pipeline reads besides the source.

    Indices of folders of maps, and JSONs such as that of panoptic maps.
    """
    named = dict(model=cfg.model, data=cfg.pseudo_label_dataloader.dataset)
    found = files_named_in(Config(named).to_dict(), Path(), INDEX_NAME)
    return [
        path
        for path in found
        if path.name == INDEX_NAME
        or (path.suffix == '.json' and not path.samefile(source))
    ]


def _enter(work: _Work) -> dict[str, Any] | None:
    """Check what lies there already; None if the result is finished."""
    cfg, options, parts, task = work.cfg, work.options, work.parts, work.task
    artifact = task.artifact
    how = dict(cfg.model.get('test_cfg') or {})
    manifest = build_manifest(
        method=cfg.get('wsis', {}).get('method', 'unknown'),
        config=Path(cfg.filename).stem if cfg.filename else 'unnamed',
        checkpoint=work.checkpoint or work.own_weights,
        source=artifact.source.path,
        supervision=artifact.supervision
        or declared_supervision(cfg.pseudo_label_dataloader.dataset)
        or 'image_tags',
        options=dict(
            **how,
            batch_size=task.batch_size,
            amp=options.amp,
            **({} if options.view is None else dict(view=options.view)),
        ),
        settings=dict(
            model=cfg.model.to_dict(),
            dataset=cfg.pseudo_label_dataloader.dataset.to_dict(),
        ),
        artifact=None if isinstance(artifact, ObjectMasks) else task.settings,
        maps=_maps_read(cfg, artifact.source.path),
        # What mmwsis.TrainingSourcesHook wrote.
        trained_on=checkpoint_meta(work.checkpoint).get('trained_on'),
    )
    result = artifact.result
    if not parts.exists():
        if result.exists() and not options.overwrite:
            info = read_json(str(result)).get('info', {}).get('mmwsis', {})
            refuse(artifact.out, differences(info, manifest))
            return None
        if options.merge:
            raise FileNotFoundError(
                f'There is nothing to merge: {parts} does not exist. Run the shards '
                'first, with the same --out.'
            )
        artifact.begin(options.overwrite)
    parts.mkdir(parents=True, exist_ok=True)
    try:
        return enter_parts(parts, manifest)
    except ValueError:
        if not options.overwrite or options.merge:
            raise
    artifact.begin(overwrite=True)
    shutil.rmtree(parts)
    parts.mkdir()
    return enter_parts(parts, manifest)


def _label(work: _Work) -> None:
    """Make this rank's share of what is not on disk yet."""
    rank, ranks = get_dist_info()
    shard, parts = work.options.shard or Shard(1, 1), work.parts
    label = f'shard{shard.index}of{shard.count}'
    with contextlib.ExitStack() as stack:

        def lock_and_look() -> list[int]:
            stack.enter_context(ProcessLock(parts / f'{label}.lock', _SECOND_JOB))
            return _pending(work, shard)

        chunks = [work.task.chunks[number] for number in on_first_rank(lock_and_look)]
        mine = chunks[rank::ranks]
        if mine:
            writer = PartWriter(parts, f'{label}-rank{rank}')
            stack.callback(writer.close)
            _label_chunks(work, mine, writer)
        barrier()


def _pending(work: _Work, shard: Shard) -> list[int]:
    """Chunks of a shard that no part file holds yet."""
    share = work.task.chunks[shard.index - 1 :: shard.count]
    finished = read_parts(work.parts)
    pending = [chunk for chunk in share if chunk.number not in finished]
    total = sum(len(chunk.item_ids) for chunk in share)
    to_do = sum(len(chunk.item_ids) for chunk in pending)
    resumed = f', {total - to_do} are there already' if to_do < total else ''
    noun = work.task.artifact.noun
    print_log(
        f'shard {shard}: {total} {noun} to label{resumed}. A killed run '
        f'goes on with the same command; finished chunks lie in {work.parts}.',
        logger='current',
    )
    return [chunk.number for chunk in pending]


def _label_chunks(work: _Work, chunks: list[Chunk], writer: PartWriter) -> None:
    task, options = work.task, work.options
    model = load_labeler(work.cfg.model, work.checkpoint, 'cpu')
    model = move_labeler(model, options.device)
    total = sum(len(chunk.item_ids) for chunk in chunks)
    title, noun, visible = task.artifact.title, task.artifact.noun, get_rank() == 0
    with generation_progress(total, title, noun, visible) as advance:
        label_dataset(
            *(model, task.dataset, chunks, task.artifact, writer, advance),
            *(task.batch_size, work.cfg.pseudo_label_dataloader, options.amp),
        )


def _finish(work: _Work, held: Mapping[str, Any]) -> None:
    artifact = work.task.artifact
    finished = read_parts(work.parts)
    check_complete(work.task.chunks, finished, artifact.title)
    records = {record['id']: record for chunk in finished.values() for record in chunk}
    if not work.options.force:
        artifact.check(records)
    made = artifact.finish(records, result_info(held), work.options.results_out)
    print_log(f'{artifact.out}: {made}.', logger='current')
    if not work.options.keep_parts:
        shutil.rmtree(work.parts)
