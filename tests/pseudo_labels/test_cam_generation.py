"""Class maps of the CAM classifier: ranks, shards, interruptions, odd images."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.models.labelers import CAMClassifier
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.registry import MODELS

sys.path.insert(0, str(Path(__file__).parent))
from toy_scenes import draw_scenes

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = {base!r}
data_root = {root!r}
metainfo = dict(classes=('berry', 'leaf', 'pool'))
model = dict(
    backbone=dict(base_channels=8), head=dict(num_classes=3, in_channels=32),
)
pseudo_label_dataloader = dict(
    batch_size=2, num_workers=0,
    dataset=dict(
        data_root=data_root, ann_file='tags.json', data_prefix=dict(img='images/'),
        metainfo=metainfo,
    ),
)
wsis = dict(requires=[])
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Toy scenes, two of them grey or with alpha, and a classifier's checkpoint."""
    folder = tmp_path_factory.mktemp('cam')
    draw_scenes(folder, count=10)
    for number, mode in ((1, 'L'), (2, 'RGBA')):
        path = folder / f'images/part{number % 2}/{number:03d}.png'
        Image.open(path).convert(mode).save(path)
    base = str(ROOT / 'configs/irnet/cam_r18_synthetic.py')
    (folder / 'cam.py').write_text(CONFIG.format(base=base, root=f'{folder}/'))
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(folder / 'cam.py').model)
    model.init_weights()
    model.head.classifier.weight.data.abs_()
    torch.nn.init.zeros_(model.head.classifier.weight[2])  # 'pool' never responds
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_1.pth')
    return folder


@pytest.fixture(scope='module')
def whole(folder):
    """Maps of one process in one go."""
    return generate(folder, folder / 'whole' / 'maps')


def generate(folder, out, **options):
    config = Config.fromfile(folder / 'cam.py')
    options = GenerationOptions(**options)
    return generate_pseudo_labels(config, folder / 'epoch_1.pth', out, options)


def content(folder):
    """Every file; the index without its date."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }
    index = json.loads(files.pop('index.json'))
    del index['info']['mmwsis']['date']
    return files, index


def test_every_image_has_its_maps(folder, whole):
    store = ClassMapStore(whole)
    assert store.index.content['info']['mmwsis']['method'] == 'IRNet'
    tags = json.loads((folder / 'tags.json').read_text())
    names = {category['id']: category['name'] for category in tags['categories']}
    assert store.image_ids == [image['id'] for image in tags['images']]
    seen = set()
    for image in tags['images']:
        size = height, width = image['height'], image['width']
        found = store.read(image['id'], image_size=size)
        present = {store.classes[label] for label in found.labels}
        assert present == {names[tag] for tag in image['tags']}
        cam, high_res = found.maps['cam'], found.maps['high_res']
        count = len(image['tags'])
        assert cam.shape == (count, (height - 1) // 4 + 1, (width - 1) // 4 + 1)
        assert high_res.shape == (count, height, width)
        assert ((high_res >= 0) & (high_res <= 1)).all()
        for label, values in zip(found.labels, cam):
            silent = store.classes[label] == 'pool'
            assert (values.max() == 0) == silent
            seen.add(store.classes[label])
    assert seen == {'berry', 'leaf', 'pool'}


def test_shards_and_an_interruption_change_no_byte(
    folder, whole, tmp_path, monkeypatch
):
    out = tmp_path / 'maps'
    generate(folder, out, shard=Shard(2, 2))
    forward, calls = CAMClassifier.forward, []

    def dying(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 5:  # in the second chunk of four batches
            raise KeyboardInterrupt
        return forward(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(CAMClassifier, 'forward', dying)
        patch.setattr('mmwsis.pseudo_labels.plan.BATCHES_PER_CHUNK', 1)
        with pytest.raises(KeyboardInterrupt):
            generate(folder, tmp_path / 'one', batch_size=1)
        before = {path: path.read_bytes() for path in (tmp_path / 'one').rglob('*.npz')}
        assert len(before) == 4
        calls[:] = [1] * 5
        generate(folder, tmp_path / 'one', batch_size=1)
        assert len(calls) == 5 + 6  # the four that were finished are not made again
        assert all(path.read_bytes() == old for path, old in before.items())
    assert content(tmp_path / 'one')[0] == content(whole)[0]
    generate(folder, out, shard=Shard(1, 2))
    generate(folder, out, merge=True)
    assert content(out) == content(whole)


@pytest.mark.slow  # test_generate_pseudo_labels runs two ranks in any case
def test_two_ranks_make_the_same_files(folder, whole, tmp_path):
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    command = [sys.executable, ROOT / 'tools/generate_pseudo_labels.py']
    command += [folder / 'cam.py', folder / 'epoch_1.pth', '--out', tmp_path / 'maps']
    ranks = [
        subprocess.Popen(
            [*command, '--launcher', 'pytorch'],
            env={
                **os.environ,
                'PYTHONPATH': str(ROOT),
                'MASTER_ADDR': '127.0.0.1',
                'MASTER_PORT': str(port),
                'WORLD_SIZE': '2',
                'RANK': str(rank),
                'LOCAL_RANK': str(rank),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], outputs
    assert content(tmp_path / 'maps') == content(whole)
    assert '10 images' in outputs[0]
