"""Whether a classifier knows its tags: figures, chance, refusal, provenance."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData

from mmwsis.models.labelers import WeightFreeLabeler
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.pseudo_labels.class_maps import ClassMapFolder
from mmwsis.pseudo_labels.tag_accuracy import (
    judge_tag_accuracy,
    tag_accuracy,
    tag_matrix,
)
from mmwsis.registry import MODELS

sys.path.insert(0, str(Path(__file__).parent))
from toy_scenes import COLORS, draw_scenes

CLASSES = tuple(COLORS)


def average_precision(scores, present):
    """As its definition says, one image after the other."""
    found = [
        present[scores >= score].mean() for score in scores[present]
    ]  # precision among those ranked at least as high
    return np.mean(found)


@pytest.mark.parametrize('seed', range(3))
def test_average_precision_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    logits = rng.integers(-3, 4, (40, 3)).astype(float)  # with ties
    tags = rng.random((40, 3)) < [0.1, 0.5, 0.9]
    found = tag_accuracy(logits, tags)
    expected = [average_precision(logits[:, k], tags[:, k]) for k in range(3)]
    np.testing.assert_allclose(found.ap, expected)
    assert found.mean_ap == pytest.approx(np.mean(expected))
    assert found.all_right == ((logits > 0) == tags).all(1).mean()


def test_a_class_of_all_images_or_none_has_no_figure():
    tags = tag_matrix([[0], [0], [0, 1]], 3)
    found = tag_accuracy(np.zeros((3, 3)), tags)
    assert np.isnan(found.ap[[0, 2]]).all() and found.ap[1] == pytest.approx(1 / 3)
    assert found.prevalence.tolist() == [1.0, pytest.approx(1 / 3), 0.0]
    assert np.isnan(tag_accuracy(np.zeros((0, 3)), tags[:0]).mean_ap)


def one_of(classes, images, seed=0):
    rng = np.random.default_rng(seed)
    return tag_matrix(rng.integers(0, classes, (images, 1)), classes)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('classes, images', [(2, 50), (3, 60), (7, 300)])
def test_random_logits_and_equal_ones_are_at_chance(seed, classes, images):
    tags = one_of(classes, images, seed)
    names = [f'class {k}' for k in range(classes)]
    logits = np.random.default_rng(100 + seed).normal(size=tags.shape)
    for given in (logits, np.zeros_like(logits)):
        found = judge_tag_accuracy(given, tags, names)
        assert found['at_chance'], found
        assert 'at chance or close: mAP' in found['warnings'][0]
    found = judge_tag_accuracy(logits + 3 * tags, tags, names)
    assert found['at_chance'] is False and found['warnings'] == []
    assert found['mAP'] > found['needed'] > found['chance'] > 0


def test_one_class_at_chance_among_others_is_named():
    tags = one_of(4, 200)
    logits = np.random.default_rng(1).normal(size=tags.shape)
    logits[:, 1:] += 4 * tags[:, 1:]
    found = judge_tag_accuracy(logits, tags, 'abcd')
    assert found['at_chance'] is False
    (warning,) = found['warnings']
    assert 'at chance or close for a (AP ' in warning and 'b (' not in warning


@pytest.mark.parametrize('tags', [np.ones((50, 1), bool), one_of(2, 12)])
def test_what_cannot_be_judged_is_said(tags):
    found = judge_tag_accuracy(np.zeros(tags.shape), tags, 'ab')
    assert found['at_chance'] is None and found['judged'] == 0
    assert 'cannot be told' in found['warnings'][0]
    json.dumps(found, allow_nan=False)


@MODELS.register_module(force=True)
class TagTeller(WeightFreeLabeler):
    """Maps of ones, and a point; its logits tell the tags, or are always the same."""

    artifacts = ('class_maps', 'points', 'semantic_maps')

    def __init__(self, knows, **kwargs):
        super().__init__(**kwargs)
        self.knows = knows

    def label(self, image, sample):
        sample.pred_class_maps = InstanceData(
            labels=torch.tensor(sample.tags, dtype=torch.int64),
            cam=torch.ones(len(sample.tags), 2, 2),
        )
        sample.pred_sem_seg = PixelData(sem_seg=torch.ones(1, *image.shape[1:]).byte())
        sample.pred_points = InstanceData(
            labels=sample.pred_class_maps.labels,
            points=torch.ones(len(sample.tags), 2),
            scores=torch.ones(len(sample.tags)),
        )
        logits = torch.zeros(len(CLASSES))
        if self.knows:
            logits[sample.tags] = 1.25
        sample.pred_tag_logits = logits - 0.5


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tags')
    draw_scenes(folder, count=30)
    return folder


def generate(folder, out, knows, artifact='class_maps', **options):
    dataset = dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        data_root=f'{folder}/',
        ann_file='tags.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=CLASSES),
        filter_cfg=None,
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
    config = dict(
        default_scope='mmdet',
        model=dict(type='mmwsis.TagTeller', knows=knows),
        artifact=artifact,
        pseudo_label_dataloader=dict(batch_size=2, num_workers=0, dataset=dataset),
    )
    options = GenerationOptions(**options)
    return generate_pseudo_labels(Config(config), None, out, options)


def index_of(folder):
    return json.loads((folder / 'index.json').read_text())


def test_maps_say_how_well_their_classifier_knows_the_tags(folder, tmp_path):
    index = index_of(generate(folder, tmp_path / 'maps', knows=True))
    accuracy = index['info']['mmwsis']['tag_accuracy']
    assert accuracy['images'] == 30 and accuracy['at_chance'] is False
    assert accuracy['mAP'] == accuracy['all_right'] == 1.0
    assert [row['name'] for row in accuracy['per_class']] == list(CLASSES)
    assert not any('logits' in entry for entry in index['images'])


def test_maps_of_a_classifier_at_chance_are_refused(folder, tmp_path):
    out = tmp_path / 'maps'
    with pytest.raises(
        ValueError, match=r'at chance or close: mAP .* --force'
    ) as error:
        generate(folder, out, knows=False)
    assert '30 images' in str(error.value)
    assert not (out / 'index.json').exists()
    # Nothing is made again: forced, the shards' share is there already.
    with pytest.raises(ValueError, match='at chance'):
        generate(folder, out, knows=False, merge=True)
    index = index_of(generate(folder, out, knows=False, merge=True, force=True))
    assert index['info']['mmwsis']['tag_accuracy']['at_chance'] is True
    assert len(index['images']) == 30


def test_label_maps_are_judged_as_class_maps_are(folder, tmp_path):
    out = tmp_path / 'maps'
    with pytest.raises(ValueError, match=r'at chance .* Such semantic maps show'):
        generate(folder, out, knows=False, artifact='semantic_maps')
    index = index_of(
        generate(folder, out, knows=True, artifact='semantic_maps', overwrite=True)
    )
    assert index['info']['mmwsis']['tag_accuracy']['mAP'] == 1.0
    assert not any('logits' in entry for entry in index['images'])


def test_points_are_judged_as_maps_are(folder, tmp_path):
    out = tmp_path / 'cues.json'
    with pytest.raises(ValueError, match=r'at chance .* Such points show nothing'):
        generate(folder, out, knows=False, artifact='points')
    assert not out.exists()
    for knows in (False, True):
        options = dict(knows=knows, artifact='points', force=True, overwrite=True)
        content = json.loads(generate(folder, out, **options).read_text())
        accuracy = content['info']['mmwsis']['tag_accuracy']
        assert accuracy['at_chance'] is not knows
        assert 'logits' not in json.dumps(content)
    assert len(content['annotations']) == sum(len(i['tags']) for i in content['images'])


def test_shards_measure_the_same(folder, tmp_path):
    whole = index_of(generate(folder, tmp_path / 'whole', knows=True))
    for number in (2, 1):
        generate(folder, tmp_path / 'maps', knows=True, shard=Shard(number, 2))
    merged = index_of(generate(folder, tmp_path / 'maps', knows=True, merge=True))
    for index in (whole, merged):
        del index['info']['mmwsis']['date']
    assert merged == whole


def test_the_order_of_the_records_does_not_matter(tmp_path):
    rng = np.random.default_rng(0)
    images = {
        key: dict(id=key, tags=rng.permutation(3)[:2].tolist()) for key in range(60)
    }
    source = SimpleNamespace(images=images, category_ids=range(3), classes=CLASSES)
    records = {key: dict(logits=rng.random(3).tolist()) for key in images}
    found = []
    for order in (list(records), list(records)[::-1]):
        artifact = ClassMapFolder(tmp_path, source)
        found.append(artifact.tag_accuracy({key: records[key] for key in order}))
    assert found[0] == found[1]
