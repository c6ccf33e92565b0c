"""Points in, points in rounds, instances out: equal bytes however it is run.

In one process, on two ranks, killed and continued; first a method without weights, then
one whose network is trained anew in every round.
"""

import json
import os
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
from forked_tools import run_forked

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.run_config import load_run_config
from mmwsis.evaluation.compare_files import compare_files
from mmwsis.formats.validation import validate_file
from mmwsis.pseudo_labels import generate_pseudo_labels

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = 'tools/run_pipeline.py'
METHOD = REPOSITORY / 'tests' / 'toy_method'
SOURCE = 'scenes/weak/points_train.json'
HASH = re.compile(rb'"\w+_sha256":"\w+"')
LABELS = ['points_round1.json', 'points_round2.json', 'instances.json']
# Files name the hashes of those that they were made from, dates included.
DATE = dict(SOURCE_DATE_EPOCH='1700000000')


def prepare(folder):
    make_synthetic(folder / 'scenes', SyntheticSettings(train=6, val=3, size=64))
    for file in METHOD.glob('*.py'):
        shutil.copy(file, folder)
    return folder


def made(folder, names=LABELS):
    return {name: (folder / 'labels' / name).read_bytes() for name in names}


def run_pipeline(folder, pipeline, *arguments, program=PROGRAM, **environment):
    """Run ``tools/run_pipeline.py`` as a user would; returns the finished process."""
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = str(free.getsockname()[1])
    paths = [str(REPOSITORY), str(folder)]
    return run_forked(
        [sys.executable, REPOSITORY / program, pipeline, *arguments],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths), 'PORT': port, **DATE}
        | {key: str(value) for key, value in environment.items()},
    )


@pytest.fixture(scope='module')
def one_process(tmp_path_factory):
    """What the method makes in this very process, without a pipeline."""
    folder = prepare(tmp_path_factory.mktemp('one_process'))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        patch.setenv('SOURCE_DATE_EPOCH', DATE['SOURCE_DATE_EPOCH'])
        source = SOURCE
        for name in LABELS:
            cfg = load_run_config(
                'similar_pixels.py',
                {
                    'pseudo_label_dataloader.dataset.ann_file': source,
                    'artifact': name.partition('_')[0].removesuffix('.json'),
                },
            )
            generate_pseudo_labels(cfg, None, f'labels/{name}')
            source = f'labels/{name}'
    return folder


def test_the_second_round_reads_the_first(one_process):
    contents = [json.loads(file.read_text()) for file in _files(one_process)]
    sources = [content['info']['mmwsis']['source'] for content in contents]
    assert sources == ['points_train.json', *LABELS[:2]]
    clicks = json.loads((one_process / SOURCE).read_text())['annotations']
    first, second, found = (content['annotations'] for content in contents)
    assert len(clicks) == len(first) == len(second) == len(found) > 6
    # Every round moves points.
    moved = [a['point'] != b['point'] for a, b in zip(clicks, first, strict=True)]
    assert any(moved)
    assert [one['point'] for one in first] != [one['point'] for one in second]
    for content in contents:
        assert all(0 <= one['score'] <= 1 for one in content['annotations'])
    for content in contents[:2]:  # nothing stronger than points
        assert not {'bbox', 'area', 'segmentation'} & set(content['annotations'][0])
    for file in _files(one_process):
        assert not validate_file(str(file)).failed(strict=False)
    truth = one_process / 'scenes/annotations/instances_train.json'
    comparison = compare_files(one_process / 'labels/instances.json', truth)
    assert comparison.matched


def _files(folder):
    return [folder / 'labels' / name for name in LABELS]


# In the default suite the shortest that has all of it: processes start slowly.
@pytest.mark.parametrize(
    ('before', 'after', 'program'),
    [
        (2, 1, 'tests/pipelines/forked_stages.py'),
        pytest.param(2, 1, PROGRAM, marks=pytest.mark.slow),
        pytest.param(2, 2, PROGRAM, marks=pytest.mark.slow),
        pytest.param(1, 1, PROGRAM, marks=pytest.mark.slow),
    ],
)
def test_killed_in_the_second_round_and_continued(
    one_process, tmp_path, before, after, program
):
    folder = prepare(tmp_path)
    first = run_pipeline(
        *(folder, 'pipeline.py', '--gpus', str(before)),
        program=program,
        MMWSIS_TEST_KILL_WITH='labels/points_round1.json',
    )
    assert first.returncode == 1
    assert "Stage 'points@2' ended" in first.stderr
    assert (folder / 'labels/points_round2.json.parts').is_dir()
    assert not (folder / 'labels/points_round2.json').exists()
    again = run_pipeline(folder, 'pipeline.py', '--gpus', str(after), program=program)
    assert again.returncode == 0, again.stderr
    assert 'points@1 (generate), round 1 of 2: unchanged' in again.stdout
    assert 'points@2 (generate), round 2 of 2: resumes' in again.stdout
    assert made(folder) == made(one_process)


@pytest.mark.slow
@pytest.mark.parametrize('gpus', [1, 2])
def test_a_network_trained_in_every_round(tmp_path, gpus):
    names = ['found_round1.json', 'found_round2.json', 'found.json']
    command = 'pipeline_network.py', '--gpus', gpus
    whole, killed = (prepare(tmp_path / name) for name in ('whole', 'killed'))
    done = run_pipeline(whole, *map(str, command))
    assert done.returncode == 0, done.stderr
    report = json.loads(
        (whole / 'work_dirs/pipelines/toy_network/report.json').read_text()
    )
    assert 'mask AP' in report['summary']['weak']
    # In the middle of the second round's training.
    environment = dict(MMWSIS_TEST_KILL_WITH='labels/found_round1.json')
    first = run_pipeline(killed, *map(str, command), **environment)
    assert "Stage 'network@2' ended" in first.stderr
    again = run_pipeline(killed, *map(str, command))
    assert again.returncode == 0, again.stderr
    assert 'network@2 (train), round 2 of 2: resumes' in again.stdout
    last = [
        folder / 'work_dirs/network/round2/iter_40.pth' for folder in (whole, killed)
    ]
    weights = [torch.load(file, weights_only=False)['state_dict'] for file in last]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    # Checkpoints hold times, so that their hashes differ; nothing else may.
    for name, content in made(whole, names).items():
        other = (killed / 'labels' / name).read_bytes()
        assert HASH.sub(b'', other) == HASH.sub(b'', content)
