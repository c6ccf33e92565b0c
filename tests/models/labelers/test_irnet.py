"""IRNet: training, mean displacement, prediction, and its stages without weights."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.structures import PixelData

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[1] / 'engine'))
import irnet_toy  # noqa: E402
from irnet_toy import irnet_config, irnet_model, random_sample  # noqa: E402
from own_process import run_ranks  # noqa: E402

from mmwsis.engine.run_config import build_runner, load_run_config  # noqa: E402
from mmwsis.formats.map_index import MapIndex  # noqa: E402
from mmwsis.formats.semantic_maps import read_semantic_map  # noqa: E402
from mmwsis.pseudo_labels import (  # noqa: E402
    GenerationOptions,
    Shard,
    generate_pseudo_labels,
)
from mmwsis.registry import DATASETS, MODELS  # noqa: E402

GOLDEN = HERE.parents[1] / 'golden/irnet'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return irnet_toy.prepare(tmp_path_factory.mktemp('irnet'))


def train(folder, work_dir, resume=False, launcher='none', iterations=4, **options):
    path = work_dir.with_suffix('.json')
    irnet_config(folder, iterations).dump(str(path))
    cfg = load_run_config(path, options, work_dir=work_dir, launcher=launcher)
    cfg.resume = resume
    cfg.experiment_name = f'{work_dir.name}{resume}{launcher}{id(cfg)}'
    build_runner(cfg).train()


def weights(work_dir, iteration=4):
    return torch.load(work_dir / f'iter_{iteration}.pth')['state_dict']


@pytest.fixture(scope='module')
def trained(scenes, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('work') / 'run'
    train(scenes, work_dir)
    return work_dir


def tiny(**changes):
    torch.manual_seed(0)
    model = MODELS.build(irnet_model(**changes))
    model.eval()
    return model


def test_every_head_weight_gets_a_gradient_and_no_other():
    model = tiny().train()
    image, sample = random_sample((48, 48))
    labels = torch.randint(0, 4, (1, 48, 48), dtype=torch.uint8)
    labels[:, :10] = 255
    sample.gt_sem_seg = PixelData(sem_seg=labels)
    losses = model(image[None], [sample], mode='loss')
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        trained_part = name.startswith(('boundary_head', 'displacement_head'))
        assert (parameter.grad is not None) == trained_part, name
    assert not any(m.training for m in model.backbone.modules())
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    model(image[None], [sample], mode='loss')
    after = model.backbone.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_backbone_without_pretrained_weights_can_learn_with_the_heads():
    toy = irnet_model(freeze_backbone=False)
    toy['backbone'].update(frozen_stages=-1, norm_eval=False)
    model = MODELS.build(toy).train()
    assert model.backbone.bn1.training
    image, sample = random_sample((48, 48))
    sample.gt_sem_seg = PixelData(sem_seg=torch.randint(0, 4, (1, 48, 48)))
    sum(model(image[None], [sample], mode='loss').values()).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert not without
    model.eval()
    with torch.no_grad():  # prediction makes no graph
        edge, _ = model.relations(image)
    assert not edge.requires_grad and not model.backbone.bn1.training


def test_labels_that_are_all_unsure_cost_nothing():
    model = tiny().train()
    image, sample = random_sample((48, 48))
    sample.gt_sem_seg = PixelData(sem_seg=torch.full((1, 48, 48), 255))
    total = sum(model(image[None], [sample], mode='loss').values())
    total.backward()
    assert total == 0
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and not any(grad.any() for grad in grads)


def test_crop_without_pairs_is_refused():
    model = tiny().train()
    image, sample = random_sample((16, 16))
    sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, 16, 16, dtype=torch.uint8))
    with pytest.raises(ValueError, match='radius'):
        model(image[None], [sample], mode='loss')


def test_views_are_merged_as_released(monkeypatch):
    case = np.load(GOLDEN / 'edge_merge_a.npz')
    model = tiny()
    outputs = {key: torch.from_numpy(case[key]) for key in ('edge_logit', 'dp_raw')}
    shapes = []
    monkeypatch.setattr(model, 'levels', lambda x: shapes.append(x.shape) or [x])
    model.boundary_head.forward = lambda levels: outputs['edge_logit']
    model.displacement_head.forward = lambda levels: outputs['dp_raw'][:1]
    model.test_cfg['min_size'] = int(case['crop_size'])
    edge, displacement = model.relations(torch.zeros(3, *case['size'].tolist()))
    assert shapes == [(2, 3, 64, 64)]
    np.testing.assert_allclose(edge, case['edge'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(displacement, case['displacement'], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ('size', 'padded'),
    [
        ((30, 40), (48, 48)),
        ((48, 49), (48, 64)),
        ((100, 40), (112, 48)),
        ((1, 1), None),
    ],
)
def test_padding_follows_the_larger_of_the_two_rules(monkeypatch, size, padded):
    model = tiny()
    seen, levels = [], model.levels
    monkeypatch.setattr(model, 'levels', lambda x: seen.append(x) or levels(x))
    image = torch.rand(3, *size)
    edge, displacement = model.relations(image)
    grid = tuple((side - 1) // 4 + 1 for side in size)
    assert edge.shape == (1, *grid) and displacement.shape == (2, *grid)
    (views,) = seen
    assert views.shape == (2, 3, *(padded or (48, 48)))
    height, width = size
    # The mirror image is padded after it is mirrored.
    torch.testing.assert_close(views[0, :, :height, :width], image)
    torch.testing.assert_close(views[1, :, :height, :width], image.flip(-1))
    assert not views[:, :, height:].any() and not views[..., width:].any()


@pytest.mark.parametrize('size', [(48, 40), (61, 75), (1, 1), (3, 50)])
@pytest.mark.parametrize('artifact', ['instances', 'semantic_maps'])
def test_prediction_fits_the_image(size, artifact):
    model = tiny()
    model.artifact = artifact
    image, sample = random_sample(size)
    (found,) = model(image[None], [sample], mode='predict')
    if artifact == 'instances':
        instances = found.pred_instances
        assert instances.masks.shape == (len(instances), *size)
        assert set(instances.labels.tolist()) <= {0, 2}
    else:
        sem_seg = found.pred_sem_seg.sem_seg
        assert sem_seg.shape == (1, *size)
        assert set(sem_seg.unique().tolist()) <= {0, 1, 3}


def test_batch_padding_does_not_change_an_image():
    model = tiny()
    image, sample = random_sample((40, 36))
    other, other_sample = random_sample((48, 48), seed=1)
    alone = model([image][0][None], [sample.clone()], mode='predict')[0]
    batch = torch.zeros(2, 3, 48, 48)
    batch[0, :, :40, :36], batch[1] = image, other
    together = model(batch, [sample, other_sample], mode='predict')[0]
    for key in ('masks', 'scores', 'labels'):
        assert torch.equal(alone.pred_instances[key], together.pred_instances[key])


@pytest.mark.parametrize('labels', [(), (0, 2)])
def test_labels_of_an_enlarged_image_have_its_own_size(labels):
    model = tiny()
    image, sample = random_sample((24, 20), labels)
    sample.set_metainfo(dict(img_shape=(48, 40)))
    image = torch.nn.functional.interpolate(image[None], (48, 40))
    cams, _ = model.class_maps(sample)
    assert cams.shape == (len(labels), 12, 10)
    (found,) = model(image, [sample], mode='predict')
    assert found.pred_instances.masks.shape[1:] == (24, 20)
    assert found.pred_instances.masks.dtype == torch.bool
    model.artifact = 'semantic_maps'
    (found,) = model(image, [sample], mode='predict')
    assert found.pred_sem_seg.sem_seg.shape == (1, 24, 20)


@pytest.mark.parametrize('labels', [(), (1,)], ids=['no tag', 'no activation'])
def test_nothing_is_found_where_there_is_nothing(labels):
    for artifact in ('instances', 'semantic_maps'):
        model = tiny()
        model.artifact = artifact
        image, sample = random_sample(labels=labels)
        sample.class_maps.cam.zero_()
        (found,) = model(image[None], [sample], mode='predict')
        if artifact == 'instances':
            assert found.pred_instances.masks.shape == (0, 48, 40)
            assert found.pred_instances.scores.shape == (0,)
        else:
            assert not found.pred_sem_seg.sem_seg.any()


def test_class_maps_of_another_size_name_the_image():
    image, sample = random_sample()
    sample.class_maps = sample.class_maps.new(cam=torch.zeros(2, 5, 5))
    with pytest.raises(
        ValueError, match=r'image id 7: .*\(5, 5\).*\(48, 40\).*\(12, 10\)'
    ):
        tiny()(image[None], [sample], mode='predict')


def test_wrong_settings_and_modes_are_refused():
    with pytest.raises(ValueError, match=r"unknown keys \['threshold'\]"):
        MODELS.build(dict(irnet_model(), test_cfg=dict(threshold=1)))
    with pytest.raises(ValueError, match='mode'):
        tiny()(torch.zeros(1, 3, 8, 8), mode='train')
    with pytest.raises(ValueError, match='has no weights'):
        MODELS.build(dict(type='mmwsis.RelationLabeler'))([], [], mode='loss')
    with pytest.raises(ValueError, match='crf'):
        MODELS.build(dict(type='mmwsis.RelationLabeler', test_cfg=dict(tau=1)))


def test_mean_displacement_is_that_of_whole_batches(scenes, trained):
    """Twelve images, batches of eight: the first eight count."""
    state = weights(trained)
    model = tiny()
    model.load_state_dict(state)
    found = model.displacement_head.mean_shift.clone()
    model.displacement_head.mean_shift.zero_()
    dataset = DATASETS.build(irnet_config(scenes).pseudo_label_dataloader.dataset)
    fields = []
    for index in range(8):
        data = model.data_preprocessor(pseudo_collate([dataset[index]]))
        canvas = torch.zeros(1, 3, irnet_toy.CROP, irnet_toy.CROP)
        part = data['inputs'][..., : irnet_toy.CROP, : irnet_toy.CROP]
        canvas[..., : part.shape[2], : part.shape[3]] = part
        with torch.no_grad():
            fields.append(model.displacement(canvas)[0])
    expected = torch.stack(fields).mean((0, 2, 3))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found.abs().max() > 0
    earlier = weights(trained, 2)
    assert not earlier['displacement_head.mean_shift'].any()


def test_fewer_images_than_a_batch_all_count(scenes, tmp_path):
    """And the class maps, which the mean does not depend on, are not read."""
    work_dir = tmp_path / 'few'
    options = {
        'custom_hooks.1.whole_batches': 64,
        'pseudo_label_dataloader.dataset.pipeline.1.folder': str(tmp_path / 'gone'),
    }
    train(scenes, work_dir, iterations=2, **options)
    assert weights(work_dir, 2)['displacement_head.mean_shift'].any()


def test_killed_training_resumes_to_the_same_weights(scenes, trained, tmp_path):
    work_dir = tmp_path / 'resumed'
    path = work_dir.with_suffix('.json')

    def killed():
        cfg = irnet_config(scenes)
        cfg.custom_hooks.append(dict(type='mmwsis.KillAt', iteration=3))
        cfg.dump(str(path))
        run = load_run_config(path, work_dir=work_dir)
        run.experiment_name = 'killed'
        build_runner(run).train()

    codes, _ = run_ranks(killed, 1, tmp_path)
    assert codes == [-9]
    train(scenes, work_dir, resume=True)
    expected, found = weights(trained), weights(work_dir)
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_two_processes_find_one_mean_and_the_weights_of_one(scenes, trained, tmp_path):
    """Two ranks with half the batch each: losses are means over all pairs."""
    work_dir = tmp_path / 'ranks'

    def run():
        MessageHub._instance_dict.clear()
        options = {'train_dataloader.batch_size': 2}
        train(scenes, work_dir, launcher='pytorch', **options)

    codes, texts = run_ranks(run, 2, tmp_path)
    assert codes == [0, 0], texts
    expected, found = weights(trained), weights(work_dir)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], atol=1e-4, rtol=1e-4)


def test_labels_from_images_to_files(scenes, trained, tmp_path):
    """Instances and semantic maps, in one go and in shards, to the byte."""
    cfg = irnet_config(scenes)
    checkpoint = trained / 'iter_4.pth'
    out = tmp_path / 'irnet.json'
    generate_pseudo_labels(cfg, checkpoint, out)
    content = json.loads(out.read_text())
    read = content['info']['mmwsis']['maps']
    assert list(read) == [f'{scenes}/maps']
    ids = [annotation['id'] for annotation in content['annotations']]
    assert ids and ids == list(range(1, len(ids) + 1))
    assert {a['category_id'] for a in content['annotations']} <= {30, 4, 11}
    empty = {100, 92}  # images without tags
    assert not empty & {a['image_id'] for a in content['annotations']}

    maps = tmp_path / 'semantic'
    options = GenerationOptions(artifact='semantic_maps')
    generate_pseudo_labels(cfg, checkpoint, maps, options)
    index = MapIndex(maps, 'semantic_maps')
    assert index.classes == ('background', 'berry', 'leaf', 'pool')
    assert not read_semantic_map(index.path(100)).any()

    shards = tmp_path / 'shards.json'
    for number in (1, 2):
        options = GenerationOptions(shard=Shard(number, 2))
        generate_pseudo_labels(cfg, checkpoint, shards, options)
    generate_pseudo_labels(cfg, checkpoint, shards, GenerationOptions(merge=True))
    assert json.loads(shards.read_text())['annotations'] == content['annotations']


def test_relation_labels_are_sure_of_the_rectangles(scenes):
    index = MapIndex(scenes / 'relations', 'semantic_maps')
    assert index.content['info']['mmwsis']['checkpoint'] is None
    labels = read_semantic_map(index.path(99))  # the berry alone, two rectangles
    assert set(np.unique(labels)) <= {0, 1, 255}
    assert (labels[4:12, 3:10] == 1).all() and (labels[22:30, 3:10] == 1).all()
    assert (labels[:, 40:] == 0).all()
    assert not read_semantic_map(index.path(100)).any()


def test_components_of_the_class_maps_are_the_baseline(scenes, tmp_path):
    out = tmp_path / 'parts.json'
    generate_pseudo_labels(irnet_toy.components_config(scenes), None, out)
    found = json.loads(out.read_text())['annotations']
    berries = [a for a in found if a['image_id'] == 99]
    assert [a['bbox'] for a in berries] == [[1, 2, 11, 13], [1, 20, 11, 13]]
    assert all(a['category_id'] == 11 and 0.9 < a['score'] <= 1 for a in berries)


def test_labels_of_other_class_maps_are_not_mixed(scenes, trained, tmp_path):
    out = tmp_path / 'irnet.json'
    cfg, checkpoint = irnet_config(scenes), trained / 'iter_4.pth'
    generate_pseudo_labels(cfg, checkpoint, out)
    index = scenes / 'maps/index.json'
    before = index.read_text()
    try:
        index.write_text(before.replace('"date":"20', '"date":"19'))
        with pytest.raises(ValueError, match='maps: was'):
            generate_pseudo_labels(cfg, checkpoint, out)
    finally:
        index.write_text(before)


def test_model_with_weights_needs_a_checkpoint(scenes, tmp_path):
    with pytest.raises(ValueError, match=r'IRNet has \d+ weights.*give the checkpoint'):
        generate_pseudo_labels(irnet_config(scenes), None, tmp_path / 'irnet.json')
    assert not list(tmp_path.iterdir())
