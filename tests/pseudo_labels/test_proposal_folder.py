"""Proposals of a generator: shards, interruptions, the index, and reading them."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmwsis.datasets.transforms import LoadProposals
from mmwsis.evaluation.map_folder_report import map_folder_report
from mmwsis.formats.proposals import ProposalStore
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.registry import DATASETS, MODELS

sys.path.insert(0, str(Path(__file__).parent))
from toy_scenes import CONFIG, draw_scenes


def masks_of(image_id, size):
    """Five masks, the last one empty; the fourth image has none."""
    rng = np.random.default_rng(image_id)
    masks = rng.random((0 if image_id == 97 else 5, *size)) < 0.3
    masks[4:] = False
    return masks, rng.integers(0, 4, len(masks)) / 4


@MODELS.register_module()
class ToyProposer(BaseModel):
    batches_left = 10**6

    def forward(self, inputs, data_samples, mode):
        type(self).batches_left -= 1
        if self.batches_left < 0:
            raise KeyboardInterrupt
        for sample in data_samples:
            masks, scores = masks_of(sample.img_id, sample.ori_shape)
            if sample.img_id % 2:
                masks = [
                    coco_mask.encode(np.asfortranarray(m, np.uint8)) for m in masks
                ]
            else:
                masks = torch.from_numpy(masks)
            sample.pred_proposals = InstanceData(
                scores=torch.from_numpy(scores), masks=masks
            )
        return data_samples


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toy')
    draw_scenes(folder)
    return folder


@pytest.fixture
def config(scenes):
    (scenes / 'config.py').write_text(CONFIG.format(root=f'{scenes}/'))
    cfg = Config.fromfile(str(scenes / 'config.py'))
    cfg.custom_imports = None
    cfg.model = dict(
        type='mmwsis.ToyProposer', data_preprocessor=dict(type='ImgDataPreprocessor')
    )
    cfg.artifact = 'proposals'
    return cfg


def generate(config, out, **options):
    generate_pseudo_labels(config, None, out, GenerationOptions(**options))
    return out


def images_of(scenes):
    return json.loads((scenes / 'tags.json').read_text())['images']


def content(folder):
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_what_was_predicted_is_read(config, scenes, tmp_path):
    folder = generate(config, tmp_path / 'out')
    store, index = (
        ProposalStore(folder),
        json.loads((folder / 'index.json').read_text()),
    )
    assert index['type'] == 'proposals' and index['classes'] == []
    assert index['info']['mmwsis']['collapse']['empty'] == round(1 / 12, 4)
    for image, entry in zip(images_of(scenes), index['images'], strict=True):
        masks, scores = masks_of(image['id'], (image['height'], image['width']))
        order = np.argsort(-scores[:4], kind='stable')
        found = store.read(image)
        assert entry['count'] == len(found) == len(order)
        np.testing.assert_allclose(found.scores, scores[order])
        np.testing.assert_array_equal(found.decode(), masks[order])


def test_shards_and_interruptions_change_no_byte(config, tmp_path, monkeypatch):
    whole = generate(config, tmp_path / 'whole')
    out = tmp_path / 'out'
    generate(config, out, shard=Shard(2, 2))
    with monkeypatch.context() as patch:
        patch.setattr(ToyProposer, 'batches_left', 1)
        with pytest.raises(KeyboardInterrupt):
            generate(config, out, shard=Shard(1, 2))
    with pytest.raises(FileNotFoundError, match='is not finished'):
        ProposalStore(out)
    generate(config, out, shard=Shard(1, 2))
    # What a process leaves that is killed while it writes.
    next(out.rglob('*.json')).with_name('.3.json.17-0a.partial').touch()
    generate(config, out, merge=True)
    first, second = content(whole), content(out)
    for one in (first, second):
        one['index.json'] = json.loads(one['index.json'])
        del one['index.json']['info']['mmwsis']['date']
    assert first == second


def test_an_image_cannot_have_the_name_of_the_index(config, scenes, tmp_path):
    labels = json.loads((scenes / 'tags.json').read_text())
    labels['images'][3]['file_name'] = 'index.png'
    (tmp_path / 'tags.json').write_text(json.dumps(labels))
    config.pseudo_label_dataloader.dataset.ann_file = str(tmp_path / 'tags.json')
    with pytest.raises(ValueError, match=r'image id \d+: .*Rename the image'):
        generate(config, tmp_path / 'out')


def test_max_num_is_an_option(config, scenes, tmp_path):
    config.artifact = dict(type='proposals', max_num=2)
    store = ProposalStore(generate(config, tmp_path / 'out'))
    assert {len(store.read(image)) for image in images_of(scenes)} == {0, 2}


def test_they_are_not_judged_as_maps_of_classes(config, scenes, tmp_path):
    folder = generate(config, tmp_path / 'out')
    with pytest.raises(ValueError, match=r'holds proposals, .*proposal_recall\.py'):
        map_folder_report(folder, scenes / 'masks.json')


def test_many_images_without_proposals_are_told(config, tmp_path, monkeypatch):
    def none(self, inputs, data_samples, mode):
        for sample in data_samples:
            empty = InstanceData(scores=torch.zeros(0), masks=[])
            sample.pred_proposals = empty
        return data_samples

    monkeypatch.setattr(ToyProposer, 'forward', none)
    folder = generate(config, tmp_path / 'out')
    collapse = json.loads((folder / 'index.json').read_text())['info']['mmwsis']
    assert '100% of 12 images have no proposal' in collapse['collapse']['warnings'][0]


MASK = np.ones((1, 40, 61), bool)


@pytest.mark.parametrize(
    'fields, message',
    [
        ({}, 'no pred_proposals with scores and masks'),
        (dict(scores=[0.5]), 'no pred_proposals with scores and masks'),
        (dict(scores=[1.5], masks=MASK), r'scores must lie in \[0, 1\], got \[1.5\]'),
        (dict(scores=[np.nan], masks=MASK), r'scores must lie in \[0, 1\]'),
        (
            dict(scores=[0.5], masks=MASK[:, 1:]),
            r'size \[39, 61\], the image \[40, 61\]',
        ),
    ],
)
def test_wrong_predictions_name_the_image(
    config, tmp_path, monkeypatch, fields, message
):
    def predict(self, inputs, data_samples, mode):
        for sample in data_samples:
            if fields:
                sample.pred_proposals = InstanceData(**fields)
        return data_samples

    monkeypatch.setattr(ToyProposer, 'forward', predict)
    with pytest.raises(ValueError, match=f'000.png: image id 100: .*{message}'):
        generate(config, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_pipeline_loads_them(config, scenes, tmp_path):
    folder = generate(config, tmp_path / 'out')
    step = dict(
        type='mmwsis.LoadProposals', path=str(folder), max_num=3, min_score=0.25
    )
    loader = config.pseudo_label_dataloader.dataset
    loader.pipeline = [loader.pipeline[0], step]
    dataset = DATASETS.build(loader)
    data = dataset[1]
    found = data['mask_proposals']
    assert 0 < len(found) <= 3 and (found.scores >= 0.25).all()
    assert found.size == data['img'].shape[:2]


def test_workers_do_not_get_a_copy_of_the_index(config, scenes, tmp_path):
    folder = generate(config, tmp_path / 'out')
    load = LoadProposals(str(folder))
    image = images_of(scenes)[0]
    data = dict(image, img_id=image['id'], img_path=f'anywhere/{image["file_name"]}')
    first = load.transform(dict(data))['mask_proposals']
    small = len(pickle.dumps(LoadProposals(str(folder))))
    assert len(pickle.dumps(load)) == small
    again = pickle.loads(pickle.dumps(load)).transform(dict(data))['mask_proposals']
    assert again.rles == first.rles
    assert 'max_num=1000' in repr(load)
