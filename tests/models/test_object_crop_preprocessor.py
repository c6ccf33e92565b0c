import pytest
import torch

from mmwsis.models import ObjectCropPreprocessor


def crops(*sizes):
    return [torch.full((3, s, s), 200, dtype=torch.uint8) for s in sizes]


def test_views_are_stacked_and_normalised():
    mean, std = (100.0, 50.0, 0.0), (50.0, 75.0, 100.0)
    data = dict(
        inputs=dict(student=crops(4, 4), teacher=crops(4, 4)), data_samples=[1, 2]
    )
    out = ObjectCropPreprocessor(mean, std)(data)
    assert set(out['inputs']) == {'student', 'teacher'}
    student = out['inputs']['student']
    assert student.shape == (2, 3, 4, 4)
    assert student.dtype == torch.float32
    torch.testing.assert_close(student[1, :, 2, 3], torch.tensor([2.0, 2.0, 2.0]))
    assert out['data_samples'] == [1, 2]


def test_batches_that_are_tensors_pass():
    data = dict(inputs=dict(image=torch.stack(crops(4, 4))))
    out = ObjectCropPreprocessor()(data)
    assert out['inputs']['image'].shape == (2, 3, 4, 4)
    assert out['data_samples'] is None


def test_nothing_is_saved_in_checkpoints():
    assert not ObjectCropPreprocessor().state_dict()


def test_mixed_sizes_are_refused():
    with pytest.raises(ValueError, match="inputs\\['image'\\].*one crop_size"):
        ObjectCropPreprocessor()(dict(inputs=dict(image=crops(4, 5))))


@pytest.mark.parametrize('std', [(1.0, 1.0), (1.0, 0.0, 1.0)])
def test_wrong_statistics_are_refused(std):
    with pytest.raises(ValueError, match='std > 0'):
        ObjectCropPreprocessor(std=std)
