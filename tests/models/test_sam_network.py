"""SAM behind our interface against the processors and models of transformers."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_sam
import torch
from torch.nn import functional as F

from mmwsis.models import sam_weights
from mmwsis.models.sam_network import (
    MEAN,
    STD,
    SAMNetwork,
    padded_input,
    scaled_size,
    squeezed_input,
)
from mmwsis.models.sam_weights import find_sam, load_sam

SIDE = tiny_sam.SIDE
SIZES = [(37, 53), (100, 30), (64, 64), (20, 90), (5, 200)]
# Made by Sam2ImageProcessor of transformers 5.24, which needs torchvision (0.28).
GOLDEN = Path(__file__).parents[1] / 'golden/sam/sam2_input.npz'


@pytest.fixture(scope='module')
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sam')
    models = dict(sam=tiny_sam.sam(), sam2=tiny_sam.sam2())
    return {
        name: SAMNetwork(tiny_sam.save(model, folder / name))
        for name, model in models.items()
    }


def scene(size, seed=0):
    """An image and prompts for three objects."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
    extent = np.array(size[::-1])
    corners = np.sort(generator.uniform(0, 1, (3, 2, 2)), axis=1) * extent
    points = generator.uniform(0, 1, (3, 2, 2)) * (extent - 1)
    boxes, points = (
        torch.tensor(one.reshape(shape), dtype=torch.float32)
        for one, shape in ((corners, (3, 4)), (points, (3, 2, 2)))
    )
    return image, boxes, points


def to_tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)


def sam_processor():
    from transformers import SamProcessor
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    processor = SamImageProcessorPil(
        size=dict(longest_edge=SIDE), pad_size=dict(height=SIDE, width=SIDE)
    )
    return SamProcessor(processor)


def reference(network, image, points, boxes, multimask):
    """Masks and IoUs of the processor of SAM, its model and its post-processing."""
    inputs = sam_processor()(
        images=image,
        input_points=None if points is None else [points.tolist()],
        input_labels=None if points is None else [np.ones(points.shape[:2]).tolist()],
        input_boxes=None if boxes is None else [boxes.tolist()],
        return_tensors='pt',
        input_data_format='channels_last',
    )
    sizes = [inputs.pop(key) for key in ('original_sizes', 'reshaped_input_sizes')]
    inputs = {
        key: value.float() if value.is_floating_point() else value
        for key, value in inputs.items()
    }
    with torch.no_grad():
        found = network.model(**inputs, multimask_output=multimask)
    (masks,) = sam_processor().image_processor.post_process_masks(
        found.pred_masks, *sizes, pad_size=dict(height=SIDE, width=SIDE)
    )
    return masks, found.iou_scores[0]


def reference_2(network, image, points, boxes, multimask):
    """The same of SAM 2, with what its processor does without torchvision."""
    from transformers import Sam2Processor

    def scaled(coordinates, is_box):
        return Sam2Processor._normalize_coordinates(
            None, SIDE, coordinates, image.shape[:2], is_bounding_box=is_box
        )[None]

    with torch.no_grad():
        found = network.model(
            squeezed_input(to_tensor(image), SIDE)[None],
            input_points=None if points is None else scaled(points, False),
            input_boxes=None if boxes is None else scaled(boxes, True),
            multimask_output=multimask,
        )
    logits = F.interpolate(
        found.pred_masks[0], image.shape[:2], mode='bilinear', align_corners=False
    )
    return logits > 0, found.iou_scores[0]


def ours(network, image, points, boxes, multimask):
    (encoded,) = network.encode([to_tensor(image)])
    given = torch.zeros(len(boxes), 0, 2) if points is None else points
    logits, ious = network.decode(encoded, given, boxes, multimask)
    masks = [network.masks(one, encoded) for one in logits.unbind(1)]
    return torch.stack(masks, dim=1), ious


@pytest.mark.parametrize('multimask', [True, False])
@pytest.mark.parametrize('kinds', ['points', 'boxes', 'both'])
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('name', ['sam', 'sam2'])
def test_masks_are_those_of_transformers(networks, name, size, kinds, multimask):
    image, boxes, points = scene(size)
    boxes = None if kinds == 'points' else boxes
    points = None if kinds == 'boxes' else points
    compare = reference if name == 'sam' else reference_2
    masks, ious = ours(networks[name], image, points, boxes, multimask)
    expected, expected_ious = compare(networks[name], image, points, boxes, multimask)
    assert masks.shape == (3, 3 if multimask else 1, *size)
    assert masks.any() and not masks.all()
    torch.testing.assert_close(ious, expected_ious, atol=1e-5, rtol=1e-5)
    # Equal logits, up to the order of sums, may have another sign where they are 0.
    assert (masks != expected).float().mean() < 1e-3


def test_input_of_sam_is_that_of_its_processor():
    for size in SIZES:
        image, _, _ = scene(size)
        expected = sam_processor().image_processor(
            image, return_tensors='pt', input_data_format='channels_last'
        )
        assert padded_input(to_tensor(image), SIDE).equal(expected['pixel_values'][0])
        assert scaled_size(size, SIDE) == tuple(expected['reshaped_input_sizes'][0])


def test_input_of_sam_2_is_that_of_its_processor():
    golden = np.load(GOLDEN)
    for size in ('37x53', '100x30'):
        found = squeezed_input(to_tensor(golden[f'image_{size}']), SIDE)
        mean, std = (torch.tensor(one)[:, None, None] for one in (MEAN, STD))
        levels = 255 * (found * std + mean)
        expected = torch.from_numpy(golden[f'resized_{size}']).float()
        torch.testing.assert_close(levels, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize('name', ['sam', 'sam2'])
def test_images_of_a_batch_do_not_mix(networks, name):
    network = networks[name]
    images = [to_tensor(scene(size, seed)[0]) for seed, size in enumerate(SIZES)]
    together = network.encode(images)
    for image, one in zip(images, together, strict=True):
        (alone,) = network.encode([image])
        parts = (alone.features, one.features)
        pairs = zip(*parts) if name == 'sam2' else [parts]
        for expected, found in pairs:
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        assert alone[1:] == one[1:]


@pytest.mark.parametrize('name', ['sam', 'sam2'])
def test_half_precision(networks, name):
    image, boxes, points = scene((37, 53))
    with torch.autocast('cpu'):
        masks, ious = ours(networks[name], image, points, boxes, True)
    expected, _ = ours(networks[name], image, points, boxes, True)
    assert ious.dtype == torch.float32
    assert (masks == expected).float().mean() > 0.9


@pytest.mark.parametrize('size', [(1, 300), (300, 1), (1, 1)])
@pytest.mark.parametrize('name', ['sam', 'sam2'])
def test_images_of_one_row_column_or_pixel(networks, name, size):
    image, boxes, points = scene(size)
    masks, _ = ours(networks[name], image, points, boxes, False)
    assert masks.shape == (3, 1, *size)


@pytest.mark.slow
def test_weights_of_the_video_model_are_those_of_sam_2(tmp_path):
    folder = tiny_sam.save(tiny_sam.sam2(video=True), tmp_path)
    settings = json.loads((folder / 'config.json').read_text())
    assert settings['model_type'] == 'sam2_video'
    model = load_sam(folder)
    assert type(model).__name__ == 'Sam2Model'
    assert not any(one.requires_grad for one in model.parameters())


def test_the_video_model_is_read_by_its_type(tmp_path):
    folder = tiny_sam.save(tiny_sam.sam2(), tmp_path)
    settings = json.loads((folder / 'config.json').read_text())
    settings['model_type'] = 'sam2_video'
    (folder / 'config.json').write_text(json.dumps(settings))
    assert type(load_sam(folder)).__name__ == 'Sam2Model'


def test_weights_have_a_name_and_a_hash(tmp_path):
    whole = tiny_sam.save(tiny_sam.sam(), tmp_path / 'whole')
    found = find_sam(whole)
    assert found.name == 'whole'
    assert found.weights == (whole / 'model.safetensors',)
    tiny_sam.sam().save_pretrained(tmp_path / 'parts', max_shard_size='40KB')
    parts = find_sam(tmp_path / 'parts')
    assert len(parts.weights) > 1
    assert parts.sha256 != found.sha256
    assert (
        load_sam(tmp_path / 'parts').state_dict().keys()
        == load_sam(whole).state_dict().keys()
    )


def test_weights_of_a_repository_are_named_after_their_commit(tmp_path, monkeypatch):
    folder = tiny_sam.save(tiny_sam.sam(), tmp_path / 'snapshots/0a1b2c')

    def cached(repository, name, revision, **_):
        assert (repository, revision) == ('owner/sam', 'v2')
        path = folder / name
        return str(path) if path.is_file() else None

    monkeypatch.setattr('transformers.utils.cached_file', cached)
    found = find_sam('owner/sam', 'v2')
    assert found.name == 'owner/sam@0a1b2c'
    assert found.sha256 == find_sam(folder).sha256


def test_there_are_no_such_weights(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError('no network')

    monkeypatch.setattr('transformers.utils.cached_file', offline)
    with pytest.raises(FileNotFoundError, match='Correct model.weights'):
        find_sam(tmp_path)
    with pytest.raises(FileNotFoundError, match='no/such_repository holds no weights'):
        find_sam('no/such_repository')
    folder = tiny_sam.save(tiny_sam.sam(), tmp_path)
    (folder / 'model.safetensors').unlink()
    with pytest.raises(FileNotFoundError, match='save_pretrained'):
        load_sam(folder)


def test_weights_of_another_model_or_not_all_of_them(tmp_path):
    folder = tiny_sam.save(tiny_sam.sam(), tmp_path)
    settings = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps(dict(settings, model_type='detr')))
    with pytest.raises(ValueError, match="type 'detr'.*of SAM or SAM 2"):
        load_sam(folder)
    settings['vision_config']['num_hidden_layers'] = 3
    (folder / 'config.json').write_text(json.dumps(settings))
    with pytest.raises(ValueError, match='lacks .* weights of SamModel'):
        load_sam(folder)


def test_without_the_package(tmp_path, monkeypatch):
    folder = tiny_sam.save(tiny_sam.sam(), tmp_path)
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mmwsis\[sam\]'"):
        load_sam(folder)
    assert sam_weights.find_sam(folder).name  # a folder needs no package
