"""MAEPretrainer: what is hidden stays hidden, and the encoder fits the labelers."""

import pytest
import torch

from mmwsis.models.encoder_pretrained import EncoderPretrained
from mmwsis.models.labelers import (
    MAEPretrainer,
    MaskLabelNetwork,
    patchify,
    sincos_positions,
    unpatchify,
)
from mmwsis.structures import ObjectCropSample

ENCODER = dict(
    type='mmwsis.LabelerViT',
    img_size=32,
    patch_size=8,
    embed_dims=16,
    num_layers=2,
    num_heads=2,
)
DECODER = dict(decoder_dims=8, decoder_layers=1, decoder_heads=2)


def build(**kwargs):
    torch.manual_seed(0)
    model = MAEPretrainer(ENCODER, **{**DECODER, **kwargs})
    model.init_weights()
    return model


def images(*size):
    return dict(image=torch.randn(*size, generator=torch.Generator().manual_seed(1)))


def test_patchify_order():
    image = torch.arange(2 * 3 * 4 * 6).view(2, 3, 4, 6)
    patches = patchify(image, 2)
    assert patches.shape == (2, 6, 12)
    # Patch 4: second row, second column; its pixel (1, 0), channel 2.
    assert patches[1, 4, (1 * 2 + 0) * 3 + 2] == image[1, 2, 3, 2]
    assert torch.equal(unpatchify(patches, (2, 3), 2), image)


def test_patchify_refuses_odd_sides():
    with pytest.raises(ValueError, match='got 5x4'):
        patchify(torch.zeros(1, 3, 5, 4), 2)


def test_positions():
    codes = sincos_positions((3, 5), 8)
    assert codes.shape == (15, 8)
    column, row = codes[:, :4].view(3, 5, 4), codes[:, 4:].view(3, 5, 4)
    assert torch.equal(column[0], column[2])
    assert torch.equal(row[:, 0], row[:, 4])
    expected = torch.tensor([2.0, 2 / 100]).sin()  # column 2, wavelengths 1 and 100
    torch.testing.assert_close(column[0, 2, :2], expected)
    with pytest.raises(ValueError, match='multiple of 4'):
        sincos_positions((2, 2), 6)


def test_three_quarters_are_masked():
    model = build()
    predicted, masked = model(images(2, 3, 64, 64))
    assert predicted.shape == (2, 64, 192)
    assert masked.sum(1).tolist() == [48, 48]


def test_loss_equals_slow_reference(monkeypatch):
    model = build()
    inputs = images(2, 3, 32, 32)
    torch.manual_seed(3)
    predicted, masked = model(inputs)
    torch.manual_seed(3)
    loss = model(inputs, mode='loss')['loss']
    errors = []
    for b, patch in masked.nonzero().tolist():
        row, column = divmod(patch, 4)
        cell = inputs['image'][b, :, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8]
        target = cell.permute(1, 2, 0).reshape(-1)
        target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((predicted[b, patch] - target).square().mean())
    torch.testing.assert_close(loss, torch.stack(errors).mean())


@torch.no_grad()
def test_masked_pixels_are_not_seen():
    model = build().eval()
    inputs = images(1, 3, 32, 32)
    torch.manual_seed(5)
    predicted, masked = model(inputs)
    changed = patchify(inputs['image'], 8)
    changed[masked] += 7
    torch.manual_seed(5)
    again, _ = model(dict(image=unpatchify(changed, (4, 4), 8)))
    torch.testing.assert_close(again, predicted)


def test_every_trainable_parameter_gets_a_gradient():
    model = build()
    model(images(2, 3, 64, 64), mode='loss')['loss'].backward()
    for name, parameter in model.named_parameters():
        if name == 'encoder.pos_embed':
            assert not parameter.requires_grad  # fixed codes, as in MAE
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_it_learns():
    model = build()
    inputs = images(4, 3, 32, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(40):
        loss = model(inputs, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < 0.95 * losses[0]


def test_restored_picture_keeps_visible_patches():
    preprocessor = dict(type='mmwsis.ObjectCropPreprocessor')
    model = build(data_preprocessor=preprocessor)
    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    data = dict(inputs=dict(image=[image]), data_samples=[ObjectCropSample()])
    (sample,) = model.test_step(data)
    assert sample.masked.shape == (4, 4)
    visible = ~sample.masked.repeat_interleave(8, 0).repeat_interleave(8, 1)
    assert torch.equal(sample.restored[:, visible], image[:, visible])


def test_checkpoint_starts_a_labeler(tmp_path):
    model = build()
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    head = dict(type='mmwsis.ScaleAwareMaskHead', in_channels=16, feat_channels=4)
    network = MaskLabelNetwork(ENCODER, head)
    EncoderPretrained(str(path))(network.encoder)
    for name, value in model.encoder.state_dict().items():
        torch.testing.assert_close(network.encoder.state_dict()[name], value)


def test_conv_stem_is_refused():
    with pytest.raises(ValueError, match='would see the masked pixels'):
        MAEPretrainer(dict(ENCODER, patch_embed_type='conv_stem'), **DECODER)


@pytest.mark.parametrize('ratio', [0, 1])
def test_wrong_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match='mask_ratio'):
        build(mask_ratio=ratio)


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="got 'train'"):
        build()(images(1, 3, 32, 32), mode='train')
