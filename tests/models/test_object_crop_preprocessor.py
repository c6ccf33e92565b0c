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


def dark_crop(scale=1):
    """An object of 4 to 14 grey levels, times ``scale``, on a background of 0 to 3."""
    crop = torch.randint(0, 4, (3, 16, 16), generator=torch.Generator().manual_seed(0))
    crop[:, 4:12, 4:12] += 4
    crop[0, 4:12, 4:12] += 7
    return (scale * crop).to(torch.uint8)


def bright_crop():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (3, 16, 16), generator=generator, dtype=torch.uint8)


def prepared(preprocessor, *images):
    return preprocessor(dict(inputs=dict(image=list(images))))['inputs']['image']


def test_ordinary_crops_stay_to_the_bit():
    plain, stretching = (
        ObjectCropPreprocessor(),
        ObjectCropPreprocessor(min_contrast=30),
    )
    images = [bright_crop(), dark_crop()]
    expected, given = prepared(plain, *images), prepared(stretching, *images)
    assert torch.equal(given[0], expected[0])
    assert not torch.equal(given[1], expected[1])


def test_dark_crops_are_centred_and_stretched():
    unit = dict(mean=(10.0, 20.0, 30.0), std=(1.0, 1.0, 1.0))
    (crop,) = prepared(ObjectCropPreprocessor(**unit, min_contrast=30), dark_crop())
    torch.testing.assert_close(crop.mean((1, 2)), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(crop.std(correction=0), torch.tensor(30.0))
    # One gain for all channels: the object keeps its hue.
    background, object_ = crop[:, :4].mean((1, 2)), crop[:, 4:12, 4:12].mean((1, 2))
    assert (object_ - background).argmax() == 0


def test_the_brightness_of_dark_crops_does_not_matter():
    preprocessor = ObjectCropPreprocessor(min_contrast=30)
    faint, brighter, shifted = prepared(
        preprocessor, dark_crop(), dark_crop(scale=2), dark_crop() + 30
    )
    torch.testing.assert_close(brighter, faint, rtol=0, atol=1e-4)
    torch.testing.assert_close(shifted, faint, rtol=0, atol=1e-4)


@pytest.mark.parametrize('level', [0, 7, 255])
def test_constant_crops_become_zero(level):
    crop = torch.full((3, 8, 8), level, dtype=torch.uint8)
    out = prepared(
        ObjectCropPreprocessor(min_contrast=30), crop, dark_crop()[:, :8, :8]
    )
    torch.testing.assert_close(out[0], torch.zeros(3, 8, 8), rtol=0, atol=0.01)
    assert torch.isfinite(out).all()


def test_crops_do_not_depend_on_their_batch():
    preprocessor = ObjectCropPreprocessor(min_contrast=30)
    images = [dark_crop(), bright_crop(), dark_crop(scale=3)]
    together = prepared(preprocessor, *images)
    for image, given in zip(images, together):
        torch.testing.assert_close(prepared(preprocessor, image)[0], given)


@pytest.mark.parametrize('min_contrast', [0, -1.0, float('nan'), 'low'])
def test_wrong_contrast_is_refused(min_contrast):
    with pytest.raises((ValueError, TypeError), match='min_contrast'):
        ObjectCropPreprocessor(min_contrast=min_contrast)
