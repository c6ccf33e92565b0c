"""Kill -9 in the middle of training: the resumed run ends with the same weights."""

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from PIL import Image

HERE = Path(__file__).parent
TRAIN = HERE.parents[1] / 'tools' / 'train.py'
sys.path.insert(0, str(HERE))

from own_process import run_ranks  # noqa: E402

from mmwsis.datasets.seeded_samplers import (  # noqa: E402
    SampleDraw,
    SeededEpochSampler,
    SeededInfiniteSampler,
)
from mmwsis.engine.run_config import build_runner, load_run_config  # noqa: E402

SIDE = 64
CONFIG = """
custom_imports = dict(imports=['own_process'])
default_scope = 'mmdet'
encoder = dict(
    type='mmwsis.LabelerViT', img_size=32, patch_size=8, embed_dims=16, num_layers=2,
    num_heads=2)
network = dict(
    type='mmwsis.MaskLabelNetwork', encoder=encoder,
    mask_head=dict(type='mmwsis.ScaleAwareMaskHead', in_channels=16, feat_channels=8))
mal = dict(
    type='mmwsis.MaskAutoLabeler', network=network,
    data_preprocessor=dict(type='mmwsis.ObjectCropPreprocessor'),
    loss_mil=dict(type='mmwsis.ProjectionMILLoss', loss_weight=4.0),
    loss_crf=dict(type='mmwsis.MeanFieldCRFLoss', loss_weight=0.5, num_iters=5),
    mil_ramp=dict(iters=5), crf_ramp=dict(iters=20))
exits = dict(mal, type='mmwsis.ExitsLabeler', loss_mil=None, mil_ramp=None,
    loss_point=dict(type='mmwsis.ExtremePointLoss', loss_weight=0.5, mil_weight=10.0),
    similarity_extractor=dict(
        type='mmwsis.SimilarityExtractor', encoder=encoder, layer=1),
    # Thresholds at which an untrained encoder retrieves points, half of them dropped.
    retrieval=dict(delta=2, hops=3, tau_fg=1e-6, tau_bg=-1e-6, point_dropout=0.5))
model = {method}
pipeline = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=32),
    dict(type='mmwsis.ObjectCropFlip'),
    dict(type='mmwsis.TeacherStudentViews'),
    dict(type='mmwsis.PackObjectCrop')]
train_dataloader = dict(
    batch_size=4, num_workers={workers}, persistent_workers={workers} > 0,
    drop_last=True, sampler=dict(type='mmwsis.{sampler}', shuffle=True),
    dataset=dict(
        type='mmwsis.ObjectCropDataset', supervision='extreme_points',
        data_root={root!r}, ann_file='weak.json', data_prefix=dict(img=''),
        filter_cfg=dict(min_area=16), pipeline=pipeline))
train_cfg = {loop}
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3),
    accumulative_counts={accumulate})
param_scheduler = dict(type='LinearLR', begin=0, end=8, by_epoch=False)
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval={interval}, by_epoch={by_epoch}),
    logger=dict(type='LoggerHook', interval=100))
custom_hooks = [
    dict(type='mmdet.MeanTeacherHook', momentum=0.1, interval={accumulate}),
    dict(type='mmwsis.StopOnNaNHook'), {hooks}]
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
log_level = 'ERROR'
randomness = dict(seed={seed})
"""
ITERATIONS = dict(
    loop="dict(type='IterBasedTrainLoop', max_iters=6, val_interval=99)",
    sampler='SeededInfiniteSampler',
    interval=2,
    by_epoch=False,
)
EPOCHS = dict(
    loop="dict(type='EpochBasedTrainLoop', max_epochs=3)",
    sampler='SeededEpochSampler',
    interval=1,
    by_epoch=True,
)
EXACT = "dict(type='mmwsis.ExactResumeHook')"
KILL = f"{EXACT}, dict(type='mmwsis.KillAt', iteration=5)"


@pytest.fixture(autouse=True, scope='module')
def _quick_garbage_collection():
    # MMEngine collects garbage with every dataset; forks share what is frozen.
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def write_run(tmp_path):
    """Ten objects on five images, and a config of a labeler that learns from them."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(5):
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{i}.png')
        images.append(dict(id=i, file_name=f'{i}.png', height=SIDE, width=SIDE))
        for j in range(2):
            x, y, w, h = *rng.integers(2, 25, 2).tolist(), 20 + 3 * i, 30 - 2 * j
            annotations.append(
                dict(
                    id=10 * i + j,
                    image_id=i,
                    category_id=1,
                    iscrowd=0,
                    extreme_points=[
                        *([x + w // 2, y], [x, y + h // 2]),
                        *([x + w // 2, y + h], [x + w, y + h // 2]),
                    ],
                )
            )
    weak = dict(images=images, annotations=annotations)
    weak['categories'] = [dict(id=1, name='bolt')]
    (tmp_path / 'weak.json').write_text(json.dumps(weak))

    def write(name, method='exits', workers=0, hooks=EXACT, **settings):
        values = dict(accumulate=1, seed=0, **ITERATIONS) | settings
        text = CONFIG.format(
            root=str(tmp_path), method=method, workers=workers, hooks=hooks, **values
        )
        path = tmp_path / f'{name}.py'
        path.write_text(text)
        return path

    return write


def train(config, work_dir, resume=False, launcher='none'):
    """Train in this process, every run with a message hub of its own."""
    cfg = load_run_config(config, work_dir=work_dir, launcher=launcher)
    cfg.resume = resume
    cfg.experiment_name = f'{work_dir}_{resume}_{len(MessageHub._instance_dict)}'
    build_runner(cfg).train()


def train_until_killed(config, work_dir):
    """Train in a process that kills itself."""
    codes, errors = run_ranks(lambda: train(config, work_dir), 1, work_dir.parent)
    assert codes == [-signal.SIGKILL], errors


def final_state(work_dir):
    name = Path(work_dir, 'last_checkpoint').read_text()
    content = torch.load(name, weights_only=True)
    keys = ('state_dict', 'optimizer', 'param_schedulers')
    return Path(name).name, {key: content[key] for key in keys}


def differing(a, b, place=''):
    """Names of the entries in which two checkpoints differ by a single bit."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [place]
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return [x for k in a for x in differing(a[k], b[k], f'{place}/{k}')]
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        return [x for i in range(len(a)) for x in differing(a[i], b[i], f'{place}/{i}')]
    return [] if a == b else [place]


CASES = {
    'exits': dict(method='exits'),
    'exits, workers': dict(method='exits', workers=2),
    'mal, epochs, workers': dict(method='mal', workers=2, **EPOCHS),
    'mal, accumulation, no seed': dict(method='mal', accumulate=2, seed=None),
}
SLOW = ('exits, workers',)  # the first and the third case together


@pytest.mark.parametrize(
    'case',
    [pytest.param(c, marks=pytest.mark.slow) if c in SLOW else c for c in CASES],
)
def test_killed_and_resumed_run_equals_the_uninterrupted_one(write_run, tmp_path, case):
    settings = CASES[case]
    killed = tmp_path / 'killed'
    train_until_killed(write_run('killed', hooks=KILL, **settings), killed)
    name, _ = final_state(killed)
    assert name == ('epoch_2.pth' if 'epochs' in case else 'iter_4.pth')
    # The uninterrupted run; if the killed one drew its own seed, with that.
    seed = torch.load(killed / name, weights_only=True)['meta']['seed']
    assert (seed == 0) == ('seed' not in settings)
    whole = {**settings, 'seed': seed, 'workers': 0}  # their number changes nothing
    train(write_run('rest', **settings), killed, resume=True)
    train(write_run('whole', **whole), tmp_path / 'whole')

    name, resumed = final_state(killed)
    assert name == ('epoch_3.pth' if 'epochs' in case else 'iter_6.pth')
    assert any(key.startswith('teacher.') for key in resumed['state_dict'])
    assert len(resumed['optimizer']['state']) > 10
    assert differing(resumed, final_state(tmp_path / 'whole')[1]) == []


def test_two_processes_train_and_resume_exactly(write_run, tmp_path):
    def in_two(name, work_dir, resume=False, **settings):
        config = write_run(name, **settings)
        action = lambda: train(config, tmp_path / work_dir, resume, 'pytorch')  # noqa: E731
        return run_ranks(action, 2, tmp_path)

    codes, errors = in_two('killed', 'parts', hooks=KILL)
    assert codes == [-signal.SIGKILL] * 2, errors
    codes, errors = in_two('rest', 'parts', resume=True)
    assert codes == [0, 0], errors
    codes, errors = in_two('whole', 'whole')
    assert codes == [0, 0], errors
    one, other = (final_state(tmp_path / name)[1] for name in ('parts', 'whole'))
    assert differing(one, other) == []


def test_without_hook_and_sampler_they_differ(write_run, tmp_path):
    """MMEngine alone does not do it; and the comparison above notices."""
    kill = "dict(type='mmwsis.KillAt', iteration=5)"
    runs = dict(killed=kill, rest='', whole='')
    for name, hooks in runs.items():
        runs[name] = write_run(name, hooks=hooks)
        runs[name].write_text(runs[name].read_text().replace('mmwsis.SeededInf', 'Inf'))
    train_until_killed(runs['killed'], tmp_path / 'killed')
    train(runs['rest'], tmp_path / 'killed', resume=True)
    train(runs['whole'], tmp_path / 'whole')
    one, other = (final_state(tmp_path / name)[1] for name in ('killed', 'whole'))
    assert any('student' in name for name in differing(one, other))


def test_resume_loads_no_sample_again(write_run, tmp_path, monkeypatch):
    from mmwsis.datasets import ObjectCropDataset

    train_until_killed(write_run('killed', hooks=KILL), tmp_path / 'killed')
    draws = []
    load = ObjectCropDataset.prepare_data

    def counted(self, idx):
        draws.append(idx.number)
        return load(self, idx)

    monkeypatch.setattr(ObjectCropDataset, 'prepare_data', counted)
    train(write_run('rest'), tmp_path / 'killed', resume=True)
    assert draws == list(range(16, 24))  # iterations 5 and 6, four crops each


@pytest.mark.slow
def test_command_line(write_run, tmp_path):
    environment = {
        **os.environ,
        'PYTHONPATH': f'{HERE}{os.pathsep}{TRAIN.parents[1]}',
        'OMP_NUM_THREADS': '1',
    }

    def run(config, *arguments):
        command = [sys.executable, TRAIN, config, '--work-dir', tmp_path / 'cli']
        return subprocess.run(
            [*map(str, command), *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
        )

    killed = run(write_run('killed', workers=1, hooks=KILL))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = run(write_run('rest', workers=1), '--resume')
    assert resumed.returncode == 0, resumed.stderr
    torch.set_flush_denormal(True)  # as the tool does
    try:
        train(write_run('whole'), tmp_path / 'whole')
    finally:
        torch.set_flush_denormal(False)
    one, other = (final_state(tmp_path / name)[1] for name in ('cli', 'whole'))
    assert differing(one, other) == []


def test_a_sampler_without_visits_is_warned_of(write_run, tmp_path):
    path = write_run('plain')
    path.write_text(path.read_text().replace('mmwsis.SeededInf', 'Inf'))
    path.write_text(path.read_text().replace("'ERROR'", "'WARNING'"))
    train(path, tmp_path / 'plain')
    log = next((tmp_path / 'plain').glob('*/*.log')).read_text()
    assert (
        'InfiniteSampler does not number its draws: a resumed run will draw other '
        'augmentations than an uninterrupted one. Use mmwsis.SeededEpochSampler or '
        'mmwsis.SeededInfiniteSampler.' in log
    )


class _Ten:
    def __len__(self):
        return 10


@pytest.mark.parametrize('world', [1, 2, 3])
def test_draws_are_numbered_over_ranks_epochs_and_restarts(monkeypatch, world):
    from mmengine.dataset import sampler

    def take(kind, rank, count=None, **attributes):
        monkeypatch.setattr(sampler, 'get_dist_info', lambda: (rank, world))
        made = kind(_Ten(), seed=5)
        for key, value in attributes.items():
            setattr(made, key, value)
        draws = [draw for draw, _ in zip(made, range(count or len(made)))]
        return [(draw.number, int(draw)) for draw in draws]

    numbers = []
    for epoch in range(2):
        for rank in range(world):
            numbers += [n for n, _ in take(SeededEpochSampler, rank, epoch=epoch)]
    assert sorted(numbers) == list(range(len(numbers)))

    together = [take(SeededInfiniteSampler, rank, 12) for rank in range(world)]
    assert sorted(n for part in together for n, _ in part) == list(range(12 * world))
    for rank in range(world):
        assert take(SeededInfiniteSampler, rank, 7, start=5) == together[rank][5:]


def test_a_visit_is_an_index_and_travels_to_workers():
    draw = pickle.loads(pickle.dumps(SampleDraw(7, 3, 12)))
    assert (draw, draw.seed, draw.number) == (7, 3, 12) and [*range(9)][draw] == 7
