from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import merge_aug_cams, merge_aug_relations, stride4_size

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'


def cam_case():
    data = np.load(GOLDEN / 'cam_merge_a.npz')
    keys = torch.from_numpy(data['keys'])
    scales = [torch.from_numpy(data[f'logit_scale{i}'])[:, keys] for i in range(4)]
    return data, scales, tuple(data['size'].tolist())


def test_golden_cam():
    data, scales, size = cam_case()
    cam, high_res = merge_aug_cams(scales, size)
    np.testing.assert_allclose(cam, data['cam'], rtol=0, atol=1e-5)
    np.testing.assert_allclose(high_res, data['high_res'], rtol=0, atol=1e-5)
    assert cam.shape[1:] == stride4_size(size)


def test_golden_relations():
    data = np.load(GOLDEN / 'edge_merge_a.npz')
    grid = stride4_size(tuple(data['size'].tolist()))
    outputs = (torch.from_numpy(data[key]) for key in ('edge_logit', 'dp_raw'))
    edge, displacement = merge_aug_relations(*outputs, grid)
    np.testing.assert_allclose(edge, data['edge'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(displacement, data['displacement'], rtol=0, atol=1e-6)


def test_one_scale_by_hand():
    # 16x16 pixels are one cell of the classifier: the map is constant.
    scales = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1)
    cam, high_res = merge_aug_cams([scales], (16, 10))
    assert cam.shape == (1, 4, 3)
    assert high_res.shape == (1, 16, 10)
    torch.testing.assert_close(cam, torch.full((1, 4, 3), 2 / (2 + 1e-5)))
    torch.testing.assert_close(high_res, torch.full((1, 16, 10), 2 / (2 + 1e-5)))


def test_mirror_image_is_mirrored_back():
    image = torch.tensor([[0.0, 1, 3]])
    same = torch.stack([image, image.flip(-1)])[:, None]
    cam, _ = merge_aug_cams([same], (16, 48))
    alone = torch.stack([image, torch.zeros_like(image)])[:, None]
    torch.testing.assert_close(
        cam, merge_aug_cams([alone], (16, 48))[0], rtol=1e-4, atol=0
    )


def test_class_without_activation_stays_zero_and_no_class_is_empty():
    scales = [-torch.rand(2, 3, 2, 3), -torch.rand(2, 3, 4, 5)]
    scales[0][:, 0] *= -1
    cam, high_res = merge_aug_cams(scales, (30, 41))
    assert cam[0].max() > 0.99
    assert not cam[1:].any()
    assert not high_res[1:].any()
    cam, high_res = merge_aug_cams([maps[:, :0] for maps in scales], (30, 41))
    assert cam.shape == (0, 8, 11)
    assert high_res.shape == (0, 30, 41)


def test_full_precision():
    _, scales, size = cam_case()
    expected = merge_aug_cams(scales, size)
    with torch.autocast('cpu', torch.bfloat16):
        assert all(map(torch.equal, merge_aug_cams(scales, size), expected))
    logits, field = torch.randn(2, 1, 8, 8), torch.randn(2, 2, 8, 8)
    edge, displacement = merge_aug_relations(logits.half(), field.half(), (8, 6))
    assert edge.dtype == displacement.dtype == torch.float32


def test_wrong_arguments():
    with pytest.raises(ValueError, match='expected one tensor per scale, got none'):
        merge_aug_cams([], (8, 8))
    with pytest.raises(ValueError, match=r'logits\[1\]: expected shape \(2, 3, h, w\)'):
        merge_aug_cams([torch.zeros(2, 3, 1, 1), torch.zeros(2, 4, 1, 1)], (8, 8))
    with pytest.raises(
        ValueError, match=r'displacement: expected shape \(V, 2, 8, 8\)'
    ):
        merge_aug_relations(torch.zeros(2, 1, 8, 8), torch.zeros(2, 2, 8, 9), (8, 8))
    with pytest.raises(ValueError, match=r'at most \(8, 8\), .* got \(9, 8\)'):
        merge_aug_relations(torch.zeros(2, 1, 8, 8), torch.zeros(2, 2, 8, 8), (9, 8))


def test_displacements_that_are_not_finite_are_refused():
    displacement = torch.zeros(1, 2, 4, 4)
    displacement[0, 1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match='displacement: expected finite numbers'):
        merge_aug_relations(torch.zeros(2, 1, 4, 4), displacement, (4, 4))
