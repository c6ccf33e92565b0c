"""``--correct`` with the real tools: labels of scenes, edited as LabelMe would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINE = """
classes = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')
data_spec = dict(
    name='scenes', data_root='data/synthetic', classes=classes,
    train=dict(ann_file='annotations/instances_train.json', img='train/'),
    val=dict(ann_file='annotations/instances_val.json', img='val/'),
)
final = dict(
    config='mmwsis::final_models/solov2_r18_synthetic.py',
    cfg_options={
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader.num_workers': 0,
        'val_dataloader.persistent_workers': False,
        'test_dataloader.num_workers': 0,
        'test_dataloader.persistent_workers': False,
    },
)
train = {
    **final['cfg_options'],
    'train_dataloader.dataset.ann_file': 'labels/instances.json',
    'train_dataloader.batch_size': 2,
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
}
pipeline = dict(
    name='toy',
    stages=[
        dict(
            name='pseudo_labels', type='generate', config='similar_pixels.py',
            has_weights=False, artifact='instances', out='labels/instances.json',
            cfg_options={
                'pseudo_label_dataloader.dataset.ann_file':
                    'data/synthetic/weak/points_train.json',
                'pseudo_label_dataloader.dataset.data_prefix.img':
                    'data/synthetic/train/',
            },
        ),
        dict(name='final_model', type='train', **{**final, 'cfg_options': train}),
        dict(name='final_test', type='test', **final),
        dict(name='report', type='report', weak='final_test'),
    ],
)
del classes, final, train
"""


def run(folder, *arguments):
    tool = REPOSITORY / 'tools/run_pipeline.py'
    paths = os.pathsep.join([str(REPOSITORY), str(folder)])
    return subprocess.run(
        [sys.executable, tool, 'pipeline.py', *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': paths},
    )


@pytest.mark.slow
def test_corrected_by_people_and_simulated(tmp_path):
    make_synthetic(tmp_path / 'data/synthetic', SyntheticSettings(train=6, val=2))
    for name in ('data.py', 'similar_pixels.py', 'toy_method.py', 'network.py'):
        shutil.copy(REPOSITORY / 'tests/toy_method' / name, tmp_path)
    (tmp_path / 'pipeline.py').write_text(PIPELINE)

    first = run(tmp_path, '--correct', '3')
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    work = tmp_path / 'work_dirs/pipelines/toy'
    assert f'touch {work}/corrections/done' in first.stdout
    assert not (tmp_path / 'work_dirs/fully_supervised').exists()
    labels = json.loads((tmp_path / 'labels/instances.json').read_text())
    exported = [
        file
        for file in (work / 'corrections/to_correct').rglob('*.json')
        if 'shapes' in json.loads(file.read_text())
    ]
    assert 1 <= len(exported) <= 3

    document = json.loads(exported[0].read_text())
    gone = document['shapes'][0]['group_id']
    document['shapes'] = [one for one in document['shapes'] if one['group_id'] != gone]
    square = [[20, 20], [50, 20], [50, 50], [20, 50]]
    new = dict(label='square', points=square, shape_type='polygon', group_id=None)
    document['shapes'].append({**new, 'flags': {}})
    exported[0].write_text(json.dumps(document))
    (work / 'corrections/done').touch()

    second = run(tmp_path, '--correct', '3')
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr[-3000:]
    summary = json.loads((work / 'mixed_labels.corrections.json').read_text())
    assert (summary['deleted'], summary['added'], summary['changed']) == (1, 1, 0)
    assert summary['images'] == len(exported)
    mixed = json.loads((work / 'mixed_labels.json').read_text())
    ids = {one['id'] for one in mixed['annotations']}
    assert gone not in ids and len(ids) == len(labels['annotations'])
    trained = tmp_path / 'work_dirs/fully_supervised/solov2_r18_synthetic_corrected'
    assert (trained / 'last_checkpoint').is_file()
    report = json.loads((work / 'report.json').read_text())
    rows = {row['stage']: row for row in report['stages']}
    assert rows['mixed_labels']['result']['minutes of correction'] == summary['minutes']
    assert 'mixed_labels.json' in ' '.join(rows['corrected_model']['command'])

    third = run(tmp_path, '--correct', '3', '--simulate-corrections')
    assert third.returncode == 0, third.stdout[-3000:] + third.stderr[-3000:]
    summary = json.loads((work / 'mixed_labels.corrections.json').read_text())
    assert summary['reviewed'] == 3 and 'simulated' in summary
