"""How WISE comes to its instances, drawn."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from PIL import Image

from mmwsis.registry import HOOKS
from mmwsis.visualization.palette import distinct_color
from mmwsis.visualization.wise_figure import batch_tiles, embedding_colors, wise_tiles

GREY = np.full((40, 60, 3), 90, np.uint8)


def found(chosen=(0, -1)):
    """Two objects in the left and right third of an image."""
    ids = torch.zeros(40, 60, dtype=torch.int64)
    ids[10:20, 5:15], ids[20:35, 42:55] = 1, 2
    points = torch.tensor([[10, 15], [48, 28]])
    masks = torch.stack([ids == 1, ids == 2])
    labels = torch.tensor([0, 1])
    embeddings = torch.zeros(4, 5, 8)
    embeddings[0, :, :3], embeddings[1, :, 5:] = 1, 1
    return SimpleNamespace(
        blobs=SimpleNamespace(ids=ids, labels=labels, points=points),
        points=SimpleNamespace(points=points, labels=labels),
        embeddings=embeddings,
        background=torch.tensor([[30, 20]]),
        assignment=ids,
        chosen=np.array(chosen),
        objects=torch.tensor([0, 1]),
        instances=(labels, torch.tensor([0.8, 0.0]), masks),
    )


def test_similar_embeddings_have_similar_colours():
    rng = np.random.default_rng(0)
    maps = np.zeros((8, 6, 9))
    maps[:, :, :3], maps[:, :, 6:] = 4 * rng.random((2, 8, 1, 1))
    shown = embedding_colors(maps + 0.01 * rng.random(maps.shape)).astype(int)
    left, right = shown[:, :3], shown[:, 6:]
    apart = np.abs(left.mean((0, 1)) - right.mean((0, 1))).max()
    assert apart > 10 * max(left[..., 0].std(), right[..., 0].std())
    # What is turned or mirrored as a whole looks alike.
    turned = np.linalg.qr(rng.random((8, 8)))[0]
    again = embedding_colors(np.einsum('ed,dhw->ehw', turned, maps))
    first = embedding_colors(maps)[..., 0]
    assert min(np.abs(again[..., 0] - one).max() for one in (first, 255 - first)) <= 1


def test_embeddings_that_are_all_the_same_are_grey():
    assert (embedding_colors(np.ones((5, 3, 4))) == 128).all()
    with pytest.raises(ValueError, match=r'Expected a map \(d, h, w\)'):
        embedding_colors(np.ones((3, 4)))


def test_an_object_has_one_colour_in_all_tiles():
    truth = np.stack([found().assignment.numpy() == 2, np.eye(40, 60)])
    tiles = wise_tiles(GREY, found(), ('dog', 'cat'), 'image 7: ', truth)
    assert [tile.caption.partition(',')[0] for tile in tiles] == [
        'image 7: 2 blobs',
        'embedding',
        'pixels to objects',
        '2 instances',
        'truth: 2 objects',
    ]
    assert '1 of them a chosen proposal' in tiles[3].caption
    scale = tiles[0].image.shape[0] / 40
    for index, (x, y) in enumerate([(10, 15), (48, 28)]):
        row, column = round((y + 0.5) * scale), round((x + 0.5) * scale)
        for tile in tiles[:3]:
            assert tuple(tile.image[row, column]) == distinct_color(index + 1)
    shown = {tuple(color) for color in tiles[4].image.reshape(-1, 3).tolist()}
    assert {distinct_color(2), (255, 255, 255)} <= shown  # found, and not found
    assert distinct_color(1) not in shown


def test_what_a_mask_source_does_not_use_is_said():
    nothing = found()
    nothing.blobs = nothing.embeddings = nothing.assignment = nothing.chosen = None
    tiles = wise_tiles(GREY, nothing)
    assert [tile.caption for tile in tiles] == [
        'L-Net is not trained',
        'no embedding',
        'no assignment of pixels',
        '2 instances',
    ]
    assert (tiles[1].image == 90).all()


def test_an_object_without_a_pixel_costs_no_other_its_colour():
    partial = found()
    partial.assignment = torch.where(partial.assignment == 2, 2, 0)
    partial.instances = tuple(entry[1:] for entry in partial.instances)
    partial.objects = partial.objects[1:]
    tile = wise_tiles(GREY, partial)[3]
    assert tile.caption == '1 instance, 0 of them a chosen proposal'
    assert (tile.image == distinct_color(2)).all(-1).any()
    assert not (tile.image == distinct_color(1)).all(-1).any()
    partial.assignment = None  # sources without embeddings drop objects, too
    tile = wise_tiles(GREY, partial)[3]
    assert (tile.image == distinct_color(2)).all(-1).any()
    assert not (tile.image == distinct_color(1)).all(-1).any()


class Network(torch.nn.Module):
    """A WISE that finds the same in every image."""

    def __init__(self):
        super().__init__()
        self.data_preprocessor = lambda data, training: dict(
            inputs=torch.stack(data['inputs']), data_samples=data['data_samples']
        )
        self.sizes = []

    def intermediates(self, image, sample):
        assert not self.training
        self.sizes.append(tuple(image.shape))
        sample.set_metainfo(dict(touched=True))
        return found()


def batch(folder, size=2):
    samples = []
    for number in range(size):
        file = folder / f'scene_{number}.png'
        Image.fromarray(GREY).save(file)
        meta = dict(img_path=str(file), img_id=number, img_shape=(38, 58))
        sample = DetDataSample(metainfo={**meta, 'ori_shape': (40, 60)})
        masks = found().blobs.ids[None].numpy() == 1
        sample.gt_instances = InstanceData(
            labels=torch.tensor([0]), masks=BitmapMasks(masks, 40, 60)
        )
        samples.append(sample)
    return dict(inputs=[torch.zeros(3, 40, 60)] * size, data_samples=samples)


def test_drawing_changes_neither_model_nor_samples(tmp_path):
    model, data = Network().train(), batch(tmp_path)
    rows = batch_tiles(model, data)
    assert model.training and model.sizes == [(3, 38, 58)] * 2
    assert 'touched' not in data['data_samples'][0]
    assert [len(row) for row in rows] == [5, 5] and rows[0][
        4
    ].caption == 'truth: 1 object'
    with pytest.raises(TypeError, match='Identity has no blobs'):
        batch_tiles(torch.nn.Identity(), data)


def test_the_hook_serves_show_dir(tmp_path):
    recorded = []
    runner = SimpleNamespace(
        model=Network(),
        work_dir=str(tmp_path),
        timestamp='now',
        iter=4,
        visualizer=SimpleNamespace(
            dataset_meta=dict(classes=('dog', 'cat')),
            add_image=lambda name, image, step: recorded.append((name, step)),
        ),
    )
    data = batch(tmp_path)
    hook = HOOKS.build(
        dict(type='mmwsis.WISEVisualizationHook', draw=True, test_out_dir='shown')
    )
    hook.after_test_iter(runner, 0, data, data['data_samples'])
    for number in (0, 1):
        drawn = Image.open(tmp_path / f'now/shown/scene_{number}_{number}.png')
        assert drawn.width > 5 * 300 and drawn.height > 256
    hook = HOOKS.build(
        dict(type='mmwsis.WISEVisualizationHook', draw=True, max_samples=1)
    )
    runner.model.sizes.clear()
    hook.after_val_iter(runner, 0, data, data['data_samples'])
    assert recorded == [('val_masks', 4)] and len(runner.model.sizes) == 1
