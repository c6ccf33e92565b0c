"""Proposals as an artifact, from the shipped config and a bare list of images."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement
from PIL import Image

from mmwsis.engine.data_spec import load_data_spec
from mmwsis.engine.fit_config import apply_data_spec
from mmwsis.formats.proposals import ProposalStore
from mmwsis.models.labelers import ProposalGenerator
from mmwsis.ops import generate_proposals
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels

CONFIG = Path(__file__).parents[3] / 'configs/proposals/built-in_coco.py'
SPEC = """
data_spec = dict(
    name='squares', data_root={root!r}, classes=('square',),
    train=dict(ann_file=None, img='', weak=dict(points='points.json')), val=None)
"""


def picture(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 20, (60, 70 + seed, 3), dtype=np.uint8)
    image[10:30, 5:40], image[35:55, 20:60] = (200, 40, 40), (40, 60, 200)
    return image


@pytest.fixture
def config(tmp_path):
    """The shipped config for three images, of which only points are known."""
    images = []
    for number in range(3):
        pixels, name = picture(number), f'{number}.png'
        Image.fromarray(pixels).save(tmp_path / name)
        height, width = pixels.shape[:2]
        images.append(dict(id=number, file_name=name, height=height, width=width))
    file = dict(images=images, categories=[dict(id=1, name='square')], annotations=[])
    (tmp_path / 'points.json').write_text(json.dumps(file))
    (tmp_path / 'spec.py').write_text(SPEC.format(root=str(tmp_path)))
    cfg = Config.fromfile(str(CONFIG))
    cfg.pseudo_label_dataloader.num_workers = 0
    cfg.model.test_cfg.update(scales=(100,), color_spaces=('lab',))
    return apply_data_spec(cfg, load_data_spec(str(tmp_path / 'spec.py')))


def test_labels_images_of_any_file(config, tmp_path):
    assert config.wsis.produces == f'{tmp_path}/proposals/built_in'
    whole, joined = tmp_path / 'whole', tmp_path / 'joined'
    generate_pseudo_labels(config, None, whole)
    for index in (2, 1):
        part = GenerationOptions(shard=Shard(index, 2))
        generate_pseudo_labels(config, None, joined, part)
    generate_pseudo_labels(config, None, joined, GenerationOptions(merge=True))
    store = ProposalStore(whole)
    for number in range(3):
        name = f'{number}.json'
        assert (whole / name).read_bytes() == (joined / name).read_bytes()
        pixels = picture(number)
        height, width = pixels.shape[:2]
        image = dict(id=number, file_name=f'{number}.png', height=height, width=width)
        found, expected = (
            store.read(image),
            generate_proposals(pixels, **config.model.test_cfg),
        )
        assert [r['counts'] for r in found.rles] == [r['counts'] for r in expected.rles]
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


def test_defaults_are_those_of_the_operation():
    image = torch.from_numpy(picture(0)).permute(2, 0, 1)
    (sample,) = ProposalGenerator()([image], [BaseDataElement()])
    expected = generate_proposals(picture(0))
    assert list(expected.rles) == sample.pred_proposals.masks
    shipped = Config.fromfile(str(CONFIG)).model.test_cfg.to_dict()
    assert shipped == ProposalGenerator.test_defaults


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match='scale'):
        ProposalGenerator(test_cfg=dict(scale=(100,)))
