"""Image files against the label file."""

import numpy as np
import pytest
from PIL import Image

from mmwsis.formats.validation import validate_file
from mmwsis.formats.validation.image_files import check_image_files


@pytest.fixture
def look(clean, write, tmp_path):
    """Issues about the image files after a change of the folder."""

    def run(change=lambda folder: None, **options):
        path = write(clean, images=True)
        change(tmp_path)
        report = validate_file(path)
        assert check_image_files(report.images, tmp_path, report.log, **options) == 2
        return {
            rule: [str(issue) for issue in examples]
            for rule, examples in report.log.examples.items()
        }

    return run


@pytest.mark.parametrize('workers', [1, 2])
def test_valid_images(look, workers):
    counted = []
    assert look(workers=workers, progress=counted.append) == {}
    assert sum(counted) == 2


def test_missing(look, tmp_path):
    found = look(lambda folder: (folder / 'a.png').unlink())
    assert found == {
        'image-missing': [
            f'image id 70 (a.png): there is no file {tmp_path / "a.png"}.'
        ]
    }


def cut_off(folder):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / 'a.png')
    content = (folder / 'a.png').read_bytes()
    (folder / 'a.png').write_bytes(content[: len(content) // 2])


def test_cut_off_is_found_by_decoding_only(look, tmp_path):
    (found,) = look(cut_off)['image-unreadable']
    start = f'image id 70 (a.png): {tmp_path / "a.png"} cannot be decoded: '
    assert found.startswith(start)
    assert look(cut_off, decode=False) == {}


def test_no_image(look):
    (found,) = look(lambda folder: (folder / 'b.png').write_text('x'), decode=False)[
        'image-unreadable'
    ]
    assert found.startswith('image id 3 (b.png): ')


def test_turned_image(look, tmp_path):
    def turn(folder):
        Image.new('RGB', (90, 120)).save(folder / 'a.png')

    assert look(turn) == {
        'image-size-differs': [
            'image id 70 (a.png): the label file says 120 x 90 pixels, '
            f'{tmp_path / "a.png"} has 90 x 120 (the other way round).'
        ]
    }


def test_orientation(look, tmp_path):
    def tag(folder):
        image = Image.new('RGB', (90, 120))
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(folder / 'a.png', exif=exif)

    for decode in (True, False):
        assert look(tag, decode=decode) == {
            'image-orientation': [
                f'image id 70 (a.png): {tmp_path / "a.png"} is turned by its EXIF '
                'orientation 6: labels must be those of the upright image, 120 x 90 '
                'pixels, as labelling tools show it.'
            ]
        }


@pytest.mark.parametrize('decode', [True, False])
def test_size_before_the_orientation_is_an_error(look, decode):
    def tag(folder):
        image = Image.new('RGB', (120, 90))
        exif = image.getexif()
        exif[0x0112] = 8
        image.save(folder / 'a.png', exif=exif)

    (found,) = look(tag, decode=decode)['image-size-differs']
    assert 'has 90 x 120 (the other way round). EXIF orientation 8 turns it' in found


def test_sixteen_bits_are_a_warning_with_what_is_left_of_them(look, tmp_path):
    def deep(folder):
        values = np.linspace(0, 4000, 120 * 90).reshape(90, 120).astype(np.uint16)
        Image.fromarray(values).save(folder / 'a.png')

    text = (
        f'image id 70 (a.png): {tmp_path / "a.png"} has 16 bits per channel, of which '
        'loaders make 8'
    )
    assert look(deep, decode=False) == {'image-depth': [f'{text}.']}
    brightest = '; the brightest value is then 15 of 255.'
    assert look(deep) == {'image-depth': [f'{text}{brightest}']}


def test_what_stands_at_the_place_of_an_image_is_said(look):
    def swap(folder):
        (folder / 'a.png').unlink()
        (folder / 'a.png').mkdir()
        (folder / 'b.png').unlink()
        (folder / 'b.png').symlink_to('gone.png')

    folder, link = look(swap)['image-missing']
    assert folder.endswith('a.png, but a folder.')
    assert link.endswith('b.png, but a link to nothing.')


def test_no_such_folder(clean, write):
    report = validate_file(write(clean))
    with pytest.raises(NotADirectoryError, match='Image folder nowhere does not exist'):
        check_image_files(report.images, 'nowhere', report.log)
