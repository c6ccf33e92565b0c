import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sys
from pathlib import Path

import fake_labeler
import numpy as np
import pytest
import torch
from forked_tools import ForkedTool
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.registry import DATASETS
from mmwsis.utils.process_lock import ProcessLock
from mmwsis.version import __version__

sys.path.insert(0, str(Path(__file__).parents[1] / 'engine'))
from first_problem import check_requirements

HERE = Path(__file__).parent
TOOL = HERE.parents[1] / 'tools' / 'generate_pseudo_labels.py'
EMPTY, CROWD, THIN = (103, 104), 105, 107


@pytest.fixture(autouse=True)
def same_date(monkeypatch):
    """Runs in one test start at the same second, so whole files can be compared."""
    import mmwsis.pseudo_labels.manifest as module

    class Clock(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(module, 'datetime', Clock)


def generate(config, scene, out='pseudo.json', **options):
    out = scene / out
    generate_pseudo_labels(
        config, scene / 'epoch_1.pth', out, GenerationOptions(**options)
    )
    return out


@pytest.fixture
def finished(config, scene):
    return generate(config, scene, 'reference.json').read_bytes()


def test_file_is_complete_and_tight(config, scene):
    out = generate(config, scene, results_out=scene / 'results.json')
    weak = json.loads((scene / 'weak.json').read_text())
    pseudo = json.loads(out.read_text())
    assert not (scene / 'pseudo.json.parts').exists()
    assert json.loads((scene / 'results.json').read_text()) == pseudo['annotations']
    assert [a['id'] for a in pseudo['annotations']] == [
        a['id'] for a in weak['annotations']
    ]
    assert [im['id'] for im in pseudo['images']] == [im['id'] for im in weak['images']]
    assert pseudo['categories'] == weak['categories']
    assert pseudo['info']['description'] == 'test'
    sizes = {im['id']: [im['height'], im['width']] for im in weak['images']}
    for before, after in zip(weak['annotations'], pseudo['annotations']):
        assert after['category_id'] == before['category_id']
        assert after['image_id'] == before['image_id']
        assert after['iscrowd'] == before['iscrowd']
        assert after['weak_bbox'] == before['bbox']
        assert after['segmentation']['size'] == sizes[after['image_id']]
        mask = coco_mask.decode(after['segmentation'])
        rows, columns = np.nonzero(mask)
        assert after['area'] == len(rows) > 0
        assert after['bbox'] == [
            columns.min(),
            rows.min(),
            np.ptp(columns) + 1,
            np.ptp(rows) + 1,
        ]
        x, y, w, h = before['bbox']
        assert columns.min() >= int(x) and columns.max() <= int(x + w)
        assert rows.min() >= int(y) and rows.max() <= int(y + h)
        box_filled = after['id'] in (*EMPTY, CROWD, THIN)
        assert (after['score'] == 0) == box_filled
        if box_filled:
            assert after['area'] == after['bbox'][2] * after['bbox'][3]
        assert after.get('empty_prediction', False) == (after['id'] in EMPTY)


def test_provenance_says_where_it_comes_from(config, scene):
    own = json.loads(generate(config, scene).read_text())['info']['mmwsis']
    digest = hashlib.sha256((scene / 'epoch_1.pth').read_bytes()).hexdigest()
    assert own['checkpoint_sha256'] == digest
    assert own['method'] == 'MAL' and own['supervision'] == 'boxes'
    assert own['config'] == 'labeler' and own['version'] == __version__
    assert own['options']['mask_thr'] == [0.3, 0.3, 0.3]
    assert str(scene) not in json.dumps(own)


def test_plain_coco_readers_open_it(config, scene):
    out = generate(config, scene)
    assert len(COCO(str(out)).getAnnIds()) == 17
    init_default_scope('mmdet')
    dataset = DATASETS.build(
        dict(
            type='mmdet.CocoDataset',
            ann_file=str(out),
            data_prefix=dict(img=str(scene / 'images')),
            metainfo=dict(classes=('nut', 'bolt')),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
            ],
        )
    )
    loaded = [dataset[index] for index in range(len(dataset))]
    assert isinstance(dataset, BaseDataset)
    assert sum(len(item['gt_masks']) for item in loaded) == 17
    assert sum(item['gt_ignore_flags'].sum() for item in loaded) == 1  # the crowd


def test_rerun_of_a_finished_file_does_nothing(config, scene, finished):
    before = (scene / 'reference.json').stat().st_mtime_ns
    generate(config, scene, 'reference.json')
    assert (scene / 'reference.json').stat().st_mtime_ns == before


def test_worker_processes_change_nothing(config, scene, finished):
    config.pseudo_label_dataloader.num_workers = 2
    assert generate(config, scene).read_bytes() == finished


def test_images_are_decoded_once(config, scene, monkeypatch):
    from mmwsis.formats import image_file

    read = []
    get = image_file.get

    def counted(path, **kwargs):
        read.append(Path(path).name)
        return get(path, **kwargs)

    monkeypatch.setattr(image_file, 'get', counted)
    generate(config, scene, batch_size=1)
    assert sorted(read) == [f'{image_id}.png' for image_id in (1, 2, 3, 4, 6, 7, 8, 9)]


def test_interrupted_run_goes_on(config, scene, finished, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fake_labeler.BrightnessLabeler, 'fail_after', 5)
        with pytest.raises(KeyboardInterrupt):
            generate(config, scene)
    assert not (scene / 'pseudo.json').exists()
    (part,) = (scene / 'pseudo.json.parts').glob('part-*.jsonl')
    lines = part.read_text().splitlines()
    assert len(lines) >= 1
    # A line that was being written when the machine went down.
    with open(part, 'a') as file:
        file.write(lines[0][: len(lines[0]) // 2])
    assert generate(config, scene).read_bytes() == finished


@pytest.mark.parametrize('workers', [0, 2])
def test_kill_9_loses_the_chunk_under_way_and_no_other(
    config, scene, finished, monkeypatch, workers
):
    config.pseudo_label_dataloader.num_workers = workers
    child = os.fork()
    if child == 0:
        # Two workers fill two chunks in turn; the first is whole after seven batches.
        os.environ[fake_labeler.KILL_AFTER] = '7' if workers else '5'
        try:
            generate(config, scene)
        finally:
            os._exit(1)  # it should not have come here
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert not (scene / 'pseudo.json').exists()
    done = {
        annotation['id']
        for part in (scene / 'pseudo.json.parts').glob('part-*.jsonl')
        for line in part.read_text().splitlines()
        for annotation in json.loads(line)['records']
    }
    assert done and len(done) < 15  # of 17, two need no network

    labelled = []
    step = fake_labeler.BrightnessLabeler.test_step

    def counted(self, data):
        labelled.extend(sample.ann_id for sample in data['data_samples'])
        return step(self, data)

    monkeypatch.setattr(fake_labeler.BrightnessLabeler, 'test_step', counted)
    assert generate(config, scene).read_bytes() == finished
    assert not done & set(labelled)
    assert len(labelled) == 15 - len(done)


def test_shards_and_merge(config, scene, finished):
    for index in (3, 1):
        generate(config, scene, shard=Shard(index, 3))
    assert not (scene / 'pseudo.json').exists()
    with pytest.raises(ValueError, match=r'images with \d+ annotations have no pseudo'):
        generate(config, scene, merge=True)
    assert not (scene / 'pseudo.json').exists()
    generate(config, scene, shard=Shard(2, 3))
    assert generate(config, scene, merge=True).read_bytes() == finished


def test_merge_accepts_equal_duplicates_and_refuses_others(config, scene, finished):
    generate(config, scene, shard=Shard(1, 1))
    parts = scene / 'pseudo.json.parts'
    part = next(parts.glob('part-*.jsonl'))
    shutil.copy(part, parts / 'part-zzz.jsonl')
    generate(config, scene, merge=True, keep_parts=True)
    assert (scene / 'pseudo.json').read_bytes() == finished
    lines = part.read_text().splitlines()
    record = json.loads(lines[0])
    record['records'][0]['score'] = 0.123
    (parts / 'part-zzz.jsonl').write_text(json.dumps(record) + '\n')
    with pytest.raises(
        ValueError, match=r'part-zzz.jsonl, line 1 and .* hold different'
    ):
        generate(config, scene, merge=True)
    record['records'].append(record['records'][0])
    (parts / 'part-zzz.jsonl').unlink()
    part.write_text('\n'.join([json.dumps(record), *lines[1:]]) + '\n')
    with pytest.raises(ValueError, match='are unexpected or doubled'):
        generate(config, scene, merge=True)
    part.write_text('{"unit": 0, "annot\n')
    with pytest.raises(ValueError, match=r'line 1 is damaged'):
        generate(config, scene, merge=True)
    assert (scene / 'pseudo.json').read_bytes() == finished


def test_merge_without_parts(config, scene):
    with pytest.raises(FileNotFoundError, match='nothing to merge'):
        generate(config, scene, merge=True)


def test_other_checkpoints_and_options_are_refused(config, scene, finished):
    reference = scene / 'reference.json'
    config.model.test_cfg.mask_thr = (0.5, 0.5, 0.5)
    with pytest.raises(
        ValueError, match=r'options mask_thr: was .*0\.3.*is now .*0\.5'
    ):
        generate(config, scene, 'reference.json')
    assert reference.read_bytes() == finished
    config.model.test_cfg.mask_thr = (0.3, 0.3, 0.3)
    generate(config, scene, shard=Shard(1, 2))
    torch.save(dict(state_dict={'gain': torch.tensor(9.0)}), scene / 'epoch_1.pth')
    with pytest.raises(ValueError, match=r'(?s)checkpoint: was epoch_1.*--overwrite'):
        generate(config, scene, shard=Shard(2, 2))
    out = generate(config, scene, overwrite=True)
    assert out.read_bytes() != finished
    assert generate(config, scene, 'reference.json', overwrite=True) == reference
    assert reference.read_bytes() == out.read_bytes()


def test_second_job_on_the_same_share_is_refused(config, scene):
    parts = scene / 'pseudo.json.parts'
    parts.mkdir()
    held = ProcessLock(parts / 'shard1of1.lock', 'Held')
    with held, pytest.raises(RuntimeError, match='Another job is making'):
        generate(config, scene)
    generate(config, scene)


def test_empty_annotation_file(config, scene):
    weak = json.loads((scene / 'weak.json').read_text())
    weak['annotations'] = []
    (scene / 'weak.json').write_text(json.dumps(weak))
    pseudo = json.loads(generate(config, scene).read_text())
    assert pseudo['annotations'] == [] and len(pseudo['images']) == 9


def test_missing_image_is_named_and_nothing_is_written(config, scene):
    (scene / 'images' / '2.png').unlink()
    with pytest.raises(FileNotFoundError, match='2.png'):
        generate(config, scene)
    assert not (scene / 'pseudo.json').exists()


def test_hidden_annotations_are_refused(config, scene):
    config.pseudo_label_dataloader.dataset.indices = 4
    with pytest.raises(ValueError, match=r'13 of 17 annotations would get no pseudo'):
        generate(config, scene)


def test_classes_left_out_get_no_label(config, scene):
    config.pseudo_label_dataloader.dataset.metainfo.classes = ('bolt',)
    pseudo = json.loads(generate(config, scene).read_text())
    assert {a['category_id'] for a in pseudo['annotations']} == {7}


def test_wrong_checkpoints_are_refused(config, scene):
    with pytest.raises(FileNotFoundError, match=r'made by tools/train.py'):
        generate_pseudo_labels(config, scene / 'no.pth', scene / 'pseudo.json')
    torch.save(dict(state_dict={'other': torch.zeros(2)}), scene / 'epoch_1.pth')
    with pytest.raises(ValueError, match=r"1 of 1 weights are missing \['gain'\]"):
        generate(config, scene)
    torch.save(dict(state_dict={'gain': torch.zeros(2)}), scene / 'epoch_1.pth')
    with pytest.raises(ValueError, match=r'gain \(2,\) instead of \(\)'):
        generate(config, scene, overwrite=True)
    (scene / 'epoch_1.pth').write_bytes(b'not a checkpoint')
    with pytest.raises(ValueError, match=r'\(16 bytes\) is no checkpoint'):
        generate(config, scene, overwrite=True)


def test_missing_weak_labels_name_their_command(config, scene):
    (scene / 'weak.json').unlink()
    config.wsis.requires = [dict(path=str(scene / 'weak.json'), command='make weak')]
    with pytest.raises(FileNotFoundError, match=r'make weak'):
        check_requirements(config, config.pseudo_label_dataloader.dataset)
    with pytest.raises(FileNotFoundError, match=r'weak\.json does not exist'):
        generate(config, scene)


def test_missing_maps_name_their_command(config, scene):
    """What only training needed is not asked for."""
    maps = str(scene / 'maps')
    config.pseudo_label_dataloader.dataset.pipeline.insert(
        0, dict(type='mmwsis.LoadClassMaps', folder=maps)
    )
    config.wsis.requires = [
        dict(path=maps, command='make maps'),
        dict(path=str(scene / 'start.pth'), command='make weights'),
    ]
    with pytest.raises(FileNotFoundError, match='make maps') as caught:
        check_requirements(config, config.pseudo_label_dataloader.dataset)
    assert 'make weights' not in str(caught.value)


def test_shard_syntax():
    assert Shard.parse('2/5') == Shard(2, 5)
    for wrong in ('0/4', '5/4', '1', 'a/b', '1/4/2'):
        with pytest.raises(ValueError, match='1 <= i <= n'):
            Shard.parse(wrong)


def start_tool(scene, rank, port, **environment):
    ranks = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=2, MASTER_PORT=port)
    command = [sys.executable, TOOL, scene / 'labeler.py', scene / 'epoch_1.pth']
    return ForkedTool(
        [*command, '--out', scene / 'pseudo.json', '--launcher', 'pytorch'],
        env={
            **os.environ,
            'PYTHONPATH': f'{HERE}:{HERE.parents[1]}',
            'MASTER_ADDR': '127.0.0.1',
            'OMP_NUM_THREADS': '1',
            **{key: str(value) for key, value in (ranks | environment).items()},
        },
    )


def free_port():
    # Below the range from which systems hand out ports: nobody takes it meanwhile.
    for port in random.SystemRandom().sample(range(20000, 29000), 50):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(('127.0.0.1', port))
            return port
    raise OSError('no free port')


def without_date(content):
    pseudo = json.loads(content)
    del pseudo['info']['mmwsis']['date']
    return pseudo


def test_kill_in_two_ranks_then_resume_in_one(config, scene, finished):
    port = free_port()
    first = start_tool(scene, 0, port)
    second = start_tool(scene, 1, port, MMWSIS_TEST_KILL_AFTER=1)
    output, _ = second.communicate(timeout=100)
    assert second.returncode == -signal.SIGKILL, output
    output, _ = first.communicate(timeout=100)
    assert first.returncode != 0, output
    assert not (scene / 'pseudo.json').exists()
    assert list((scene / 'pseudo.json.parts').glob('part-*rank0*.jsonl'))
    resumed = generate(config, scene).read_bytes()
    assert without_date(resumed) == without_date(finished)


@pytest.mark.slow  # those that are killed and resumed equal one, too
def test_two_ranks_equal_one(config, scene, finished):
    port = free_port()
    ranks = [start_tool(scene, rank, port) for rank in (0, 1)]
    outputs = [rank.communicate(timeout=100)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    content = (scene / 'pseudo.json').read_bytes()
    date = json.loads(content)['info']['mmwsis']['date'].encode()
    assert content.replace(date, b'2026-01-02T03:04:05+00:00') == finished
    assert 'to go' in outputs[0] and 'to go' not in outputs[1]
