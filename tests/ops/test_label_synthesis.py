from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import (
    BestChannels,
    InstanceMap,
    affinity_walk,
    best_channels,
    centroid_instance_map,
    instance_channels,
    stride4_size,
    synthesize_instances,
    synthesize_semantics,
)
from mmwsis.ops.label_synthesis import split_components

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'
FILES = sorted(path.stem for path in GOLDEN.glob('synth_*.npz'))


def load(name):
    data = np.load(GOLDEN / f'{name}.npz')
    maps = [torch.from_numpy(data[key]) for key in ('cams', 'keys', 'edge')]
    return data, maps, torch.from_numpy(data['displacement'])


def flood_components(mask):
    """4-connected components in raster order, pixel by pixel."""
    left = {tuple(point) for point in np.argwhere(mask)}
    for start in sorted(left):
        if start not in left:
            continue
        component, front = set(), [start]
        while front:
            point = front.pop()
            if point in left:
                left.discard(point)
                component.add(point)
                y, x = point
                front += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        yield component


def upsampled(maps, size):
    if not len(maps):
        return maps.new_zeros(0, *size)
    larger = F.interpolate(
        maps[None], scale_factor=4, mode='bilinear', align_corners=False
    )
    return larger[0, :, : size[0], : size[1]]


def plain_synthesis(walked, labels, count, size, threshold=0.25, min_area=0.01):
    """All channels at full size, one loop over channels and one over components."""
    maps = upsampled(walked, size)
    if not maps.numel() or maps.max() == 0:
        return [], [], []
    maps = maps / maps.max()
    background = torch.full((1, *size), threshold)
    winner = torch.cat([background, maps]).argmax(0).numpy()
    scores, masks, classes = [], [], []
    for channel in range(len(maps)):
        for component in flood_components(winner == channel + 1):
            mask = np.zeros(size, dtype=bool)
            mask[tuple(zip(*component))] = True
            score = maps[channel].numpy()[mask].max()
            small = mask.sum() < min_area * size[0] * size[1]
            scores.append(0 if small else score)
            masks.append(mask)
            classes.append(int(labels[channel // count]))
    return scores, masks, classes


def scene(classes, size, seed):
    generator = torch.Generator().manual_seed(seed)
    height, width = stride4_size(size)

    def smooth(channels):
        if not channels:
            return torch.zeros(0, height, width)
        coarse = torch.rand(1, channels, 4, 4, generator=generator)
        return F.interpolate(coarse, size=(height, width), mode='bilinear')[0]

    cams = (smooth(classes) - 0.4).clamp(min=0)
    displacement = 8 * (smooth(2) - 0.5)
    edge = smooth(1).clamp(0, 1) ** 2
    labels = torch.randperm(20, generator=generator)[:classes].sort()[0]
    return cams, labels, edge, displacement


def test_all_golden_files_are_here():
    assert len(FILES) == 4


@pytest.mark.parametrize('name', FILES)
def test_golden(name):
    data, (cams, keys, edge), displacement = load(name)
    size = tuple(data['size'].tolist())
    result = synthesize_instances(
        cams,
        keys,
        edge,
        displacement,
        size,
        threshold=float(data['ins_bg_thres']),
        beta=float(data['beta']),
        num_steps=2 ** int(data['exp_times']),
    )
    count, height, width = data['mask_shape'].tolist()
    masks = np.unpackbits(data['mask_packed'], axis=1, count=height * width)
    # No ambiguous pixel of these files is decided differently here.
    assert np.array_equal(result.masks.flatten(1).numpy(), masks.astype(bool))
    assert np.array_equal(result.masks.sum((1, 2)).numpy(), data['mask_area'])
    assert result.masks.shape == (count, height, width)
    assert np.array_equal(result.labels.numpy(), data['cls'])
    np.testing.assert_allclose(result.scores, data['score'], rtol=0, atol=1e-4)
    assert result.scores.dtype == torch.float32
    assert np.array_equal(result.instances.ids.numpy(), data['instance_map'])
    assert result.instances.count == data['num_instances']


@pytest.mark.parametrize('name', FILES)
def test_golden_steps(name):
    data, (cams, keys, edge), displacement = load(name)
    size = tuple(data['size'].tolist())
    instances = centroid_instance_map(displacement)
    walked = affinity_walk(
        instance_channels(cams, instances),
        edge,
        beta=float(data['beta']),
        num_steps=2 ** int(data['exp_times']),
    )
    np.testing.assert_allclose(walked, data['rw'][:, 0], rtol=0, atol=1e-4)
    best = best_channels(walked, size, float(data['ins_bg_thres']))
    different = best.index.numpy() != data['argmax_channel']
    assert different.sum() <= data['n_ambiguous']
    semantic = synthesize_semantics(
        cams, keys, edge, size, threshold=float(data['sem_bg_thres'])
    )
    assert semantic.dtype == torch.uint8
    different = semantic.numpy() != data['semantic']
    assert different.sum() <= data['n_ambiguous']


@settings(max_examples=15, deadline=None)
@given(
    classes=st.integers(1, 3),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 999),
)
def test_equals_plain_loops(classes, size, seed):
    cams, labels, edge, displacement = scene(classes, size, seed)
    result = synthesize_instances(cams, labels, edge, displacement, size, num_steps=8)
    instances = centroid_instance_map(displacement)
    walked = affinity_walk(instance_channels(cams, instances), edge, num_steps=8)
    scores, masks, found = plain_synthesis(walked, labels, instances.count, size)
    assert result.labels.tolist() == found
    np.testing.assert_allclose(result.scores, scores, rtol=0, atol=1e-6)
    assert result.masks.shape == (len(masks), *size)
    if masks:
        assert np.array_equal(result.masks.numpy(), np.stack(masks))

    semantic = synthesize_semantics(cams, labels, edge, size, num_steps=8)
    maps = upsampled(affinity_walk(cams, edge, num_steps=8), size)
    winner = torch.cat([torch.full((1, *size), 0.25), maps / maps.max()]).argmax(0)
    values = torch.cat([torch.zeros(1, dtype=torch.int64), labels + 1])
    expected = values[winner] if maps.max() > 0 else torch.zeros(size)
    assert torch.equal(semantic, expected.to(torch.uint8))


def test_every_pixel_belongs_to_at_most_one_part():
    result = synthesize_instances(*scene(3, (57, 83), 5), (57, 83))
    assert len(result.masks) > 1
    assert result.masks.sum(0).max() == 1
    assert result.masks.any((1, 2)).all()


def test_image_without_classes():
    cams, labels, edge, displacement = scene(0, (30, 41), 0)
    result = synthesize_instances(cams, labels, edge, displacement, (30, 41))
    assert result.scores.shape == result.labels.shape == (0,)
    assert result.masks.shape == (0, 30, 41)
    assert result.masks.dtype == torch.bool
    semantic = synthesize_semantics(cams, labels, edge, (30, 41))
    assert torch.equal(semantic, torch.zeros(30, 41, dtype=torch.uint8))


@pytest.mark.parametrize('empty', ['no activation', 'boundary everywhere'])
def test_nothing_left_after_the_walk(empty):
    cams, labels, edge, displacement = scene(2, (30, 41), 0)
    if empty == 'no activation':
        cams = torch.zeros_like(cams)
    else:
        edge = torch.ones_like(edge)
    result = synthesize_instances(cams, labels, edge, displacement, (30, 41))
    assert result.masks.shape == (0, 30, 41)
    assert not synthesize_semantics(cams, labels, edge, (30, 41)).any()


def test_class_without_activation_never_wins():
    cams, labels, edge, displacement = scene(2, (30, 41), 1)
    cams[1] = 0
    result = synthesize_instances(cams, labels, edge, displacement, (30, 41))
    alone = synthesize_instances(cams[:1], labels[:1], edge, displacement, (30, 41))
    assert torch.equal(result.masks, alone.masks)
    assert (result.labels == labels[0]).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 50), (3, 2)])
def test_tiny_images(size):
    height, width = stride4_size(size)
    cams, edge = torch.ones(1, height, width), torch.zeros(1, height, width)
    labels = torch.tensor([7])
    displacement = torch.zeros(2, height, width)
    result = synthesize_instances(cams, labels, edge, displacement, size)
    assert result.masks.shape == (1, *size)
    assert result.masks.all()
    assert result.labels.tolist() == [7]
    assert result.scores.tolist() == pytest.approx([1])
    assert (synthesize_semantics(cams, labels, edge, size) == 8).all()


@pytest.mark.parametrize(('area', 'kept'), [(99, False), (100, True)])
def test_fragments_of_a_hundredth_by_hand(area, kept):
    index = torch.zeros(100, 100, dtype=torch.int64)
    index.view(-1)[:area] = 1
    best = BestChannels(index, torch.where(index > 0, 0.8, 0.25))
    instances = InstanceMap(torch.zeros(25, 25, dtype=torch.int64), 1)
    result = split_components(best, torch.tensor([3]), instances, 0.01)
    assert result.masks.sum().item() == area
    assert result.scores.tolist() == pytest.approx([0.8 if kept else 0])


def test_score_equal_to_the_threshold_is_background():
    maps = torch.zeros(2, 1, 2)
    maps[0, 0] = torch.tensor([0.25, 0.25])
    maps[1, 0] = torch.tensor([1.0, 1.0])
    best = best_channels(maps[:1], (4, 8), threshold=1.0)
    assert not best.index.any()
    best = best_channels(maps, (4, 8))
    assert (best.index == 2).all()
    maps[1, 0, 0] = 0
    best = best_channels(maps, (4, 8), threshold=0.25)
    assert not best.index[:, :2].any()


def test_first_of_equal_channels_wins():
    maps = torch.rand(1, 4, 5).expand(3, 4, 5)
    best = best_channels(maps, (16, 20))
    assert set(best.index.unique().tolist()) <= {0, 1}


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 9),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    threshold=st.sampled_from([0.0, 0.25, 0.6, 1.0]),
    seed=st.integers(0, 999),
)
def test_best_channels_equal_argmax(channels, size, threshold, seed):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(channels, *stride4_size(size), generator=generator)
    maps *= torch.rand(channels, 1, 1, generator=generator) ** 3
    best = best_channels(maps, size, threshold)
    larger = upsampled(maps, size)
    background = torch.full((1, *size), threshold)
    score, index = torch.cat([background, larger / larger.max()]).max(0)
    assert torch.equal(best.index, index)
    torch.testing.assert_close(best.score, score)


def test_wrong_arguments():
    cams, labels, edge, displacement = scene(2, (30, 41), 0)
    with pytest.raises(
        ValueError, match=r'image of \(30, 45\) .* \(8, 12\), got \(8, '
    ):
        synthesize_instances(cams, labels, edge, displacement, (30, 45))
    with pytest.raises(ValueError, match=r'labels: expected shape \(2\), got \(1,\)'):
        synthesize_semantics(cams, labels[:1], edge, (30, 41))
    with pytest.raises(ValueError, match=r'edge: expected shape \(1, 8, 11\), got'):
        synthesize_semantics(cams, labels, edge[:, :-1], (30, 41))
    with pytest.raises(ValueError, match=r'displacement: expected shape \(2, 8, 11\)'):
        synthesize_instances(cams, labels, edge, displacement[:1], (30, 41))
    with pytest.raises(ValueError, match=r'labels: expected classes .* got \[0, 254\]'):
        synthesize_semantics(cams, torch.tensor([0, 254]), edge, (30, 41))
