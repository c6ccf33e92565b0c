"""Images are read upright, with the pixels of MMDetection's loader, or refused."""

import io
import struct

import cv2
import mmcv
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from mmwsis.dataset_converters.label_maps import image_shape, read_labels
from mmwsis.formats.image_file import (
    check_image,
    decode_image,
    decode_stored_colours,
    read_header,
    read_upright,
)
from mmwsis.formats.semantic_maps import read_semantic_map

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)
RGBA = PICTURE.copy()
RGBA.putalpha(Image.fromarray(PIXELS[..., 0]))
TWO = dict(save_all=True, append_images=[PICTURE.transpose(Image.Transpose.ROTATE_180)])
TURNED = {
    'JPEG': {},
    'PNG': {},
    'WEBP': dict(lossless=True),
    'TIFF': {},
    'MPO': TWO,
}


def encoded(image, kind, orientation=None, **options):
    buffer = io.BytesIO()
    if orientation is not None:
        options['exif'] = Image.Exif()
        options['exif'][0x0112] = orientation
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded_by_opencv(pixels, suffix):
    return cv2.imencode(suffix, pixels)[1].tobytes()


def orientation_block(value, order='<', kind=3, name=b'Exif\0\0'):
    """EXIF data with one entry."""
    number = struct.pack(order + ('HH' if kind == 3 else 'I'), *[value, 0][: 5 - kind])
    head = struct.pack(order + '2sHIH', {'<': b'II', '>': b'MM'}[order], 42, 8, 1)
    return (
        name + head + struct.pack(order + 'HHI', 0x0112, kind, 1) + number + b'\0' * 4
    )


def with_blocks(*blocks):
    """A JPEG with application data."""
    content = encoded(PICTURE, 'JPEG')
    parts = [b'\xff\xe1' + struct.pack('>H', len(b) + 2) + b for b in blocks]
    return content[:2] + b''.join(parts) + content[2:]


@pytest.mark.parametrize('orientation', range(10))
@pytest.mark.parametrize('kind', TURNED)
def test_each_orientation_is_applied_to_size_and_pixels(kind, orientation):
    content = encoded(PICTURE, kind, orientation, **TURNED[kind])
    with Image.open(io.BytesIO(content)) as image:
        upright = np.array(ImageOps.exif_transpose(image).convert('RGB'))
    bgr = decode_image(content)
    np.testing.assert_array_equal(bgr[..., ::-1], upright)
    np.testing.assert_array_equal(bgr, mmcv.imfrombytes(content, backend='cv2'))
    header, checked = check_image(content)
    np.testing.assert_array_equal(checked, bgr)
    assert header.size == ((20, 30) if 5 <= orientation <= 8 else (30, 20))
    assert header.stored_size == (30, 20)
    assert header.orientation == (orientation if 1 <= orientation <= 8 else 1)


OTHERS = {
    'grey': encoded(PICTURE.convert('L'), 'PNG'),
    'grey jpeg': encoded(PICTURE.convert('L'), 'JPEG', 6),
    'one bit': encoded(PICTURE.convert('1'), 'PNG'),
    'palette': encoded(PICTURE.quantize(64), 'PNG'),
    'palette, one transparent': encoded(PICTURE.quantize(64), 'PNG', transparency=3),
    'palette, alpha': encoded(PICTURE.quantize(9), 'PNG', transparency=bytes(range(9))),
    'grey, alpha': encoded(RGBA.convert('LA'), 'PNG'),
    'alpha': encoded(RGBA, 'PNG', 8),
    'alpha tiff': encoded(RGBA, 'TIFF'),
    'cmyk': encoded(PICTURE.convert('CMYK'), 'JPEG', 3),
    'cmyk tiff': encoded(PICTURE.convert('CMYK'), 'TIFF'),
    '16 bit grey': encoded_by_opencv(PIXELS[..., 0].astype(np.uint16) * 200, '.png'),
    '16 bit': encoded_by_opencv(PIXELS.astype(np.uint16) * 200, '.png'),
    '16 bit tiff': encoded_by_opencv(PIXELS.astype(np.uint16) * 200, '.tiff'),
    'progressive': encoded(PICTURE, 'JPEG', 7, progressive=True),
    'animated png': encoded(PICTURE, 'PNG', **TWO),
    'animated webp': encoded(PICTURE, 'WEBP', lossless=True, **TWO),
    'pages': encoded(PICTURE, 'TIFF', **TWO),
    'bmp': encoded(PICTURE, 'BMP'),
    'ppm': encoded(PICTURE, 'PPM'),
    'broken exif': with_blocks(b'Exif\0\0' + b'junk' * 9),
    'cut exif': with_blocks(orientation_block(6)[:20]),
    'empty exif': with_blocks(b'Exif\0\0'),
    'orientation as long': with_blocks(orientation_block(6, '<', 4)),
    'orientation as big-endian long': with_blocks(orientation_block(6, '>', 4)),
    'two exif blocks': with_blocks(orientation_block(6), orientation_block(3)),
    'exif without its name': with_blocks(orientation_block(6, name=b'')),
    'orientation in xmp': with_blocks(
        b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:Description tiff:Orientation="6"/></x:xmpmeta>',
    ),
}


@pytest.mark.parametrize('name', OTHERS)
def test_other_images_have_the_pixels_that_mmdetection_sees(name):
    pixels = decode_image(OTHERS[name])
    expected = mmcv.imfrombytes(OTHERS[name], backend='cv2')
    np.testing.assert_array_equal(pixels, expected)
    header, _ = check_image(OTHERS[name])
    assert header.size == pixels.shape[1::-1]
    assert (header.bits > 8) is name.startswith('16 bit')


def test_broken_exif_that_opencv_does_not_follow_is_reported():
    # The description claims to lie behind the end, for which OpenCV gives up.
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = 'bolts', 3
    block = bytearray(exif.tobytes())
    place = block.index(struct.pack('>HH', 0x010E, 2)) + 8
    block[place : place + 4] = b'\0\1\0\0'
    content = with_blocks(bytes(block))
    np.testing.assert_allclose(
        decode_image(content), decode_image(with_blocks())[::-1, ::-1]
    )
    with pytest.raises(OSError, match='orientation 3 turns it, which mmdet.LoadImage'):
        check_image(content)


WRONG = {
    'empty': b'',
    'text': b'no image at all\n' * 20,
    'web page': b'<!DOCTYPE html><html></html>',
    'git lfs': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
    'format of no loader': encoded(PICTURE, 'PCX'),
    'float': encoded(Image.fromarray(PIXELS[..., 0].astype(np.float32)), 'TIFF'),
}
for kind in ('JPEG', 'PNG', 'WEBP', 'TIFF', 'BMP'):
    for part in (0.05, 0.5, 0.95):
        whole = encoded(PICTURE, kind)
        WRONG[f'{part} of a {kind}'] = whole[: int(part * len(whole))]


@pytest.mark.parametrize('name', WRONG)
def test_what_cannot_be_decoded_is_one_error(name, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(WRONG[name])
    for check in (decode_image, check_image):
        with pytest.raises(OSError, match='^(it|this) '):
            check(WRONG[name])
    with pytest.raises(OSError, match=r'Image .*a\.jpg .image id 7. cannot be decoded'):
        read_upright(str(path), 7)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(TURNED)),
    st.integers(1, 8),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
@example('JPEG', 6, [], 1.0)
def test_damaged_files_are_read_or_refused(kind, orientation, changes, part):
    content = bytearray(encoded(PICTURE, kind, orientation, **TURNED[kind]))
    for place, value in changes:
        # Rather where headers are.
        content[int(place**3 * (len(content) - 1))] = value
    content = bytes(content[: max(int(part**0.2 * len(content)), 1)])
    try:
        header, decoded = check_image(content)
    except OSError:
        return
    pixels = mmcv.imfrombytes(content, backend='cv2')
    assert header == read_header(content)
    assert header.size == pixels.shape[1::-1]
    np.testing.assert_array_equal(decoded, pixels)


def test_images_beyond_pillows_limit_are_read(monkeypatch, recwarn):
    content = encoded(PICTURE, 'PNG')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(content))
    np.testing.assert_array_equal(decode_image(content)[..., ::-1], PIXELS)
    assert Image.MAX_IMAGE_PIXELS == 100 and not recwarn


@pytest.mark.parametrize('size', [(2**31 - 1, 2**31 - 1), (2**21, 1), (2**15, 2**16)])
def test_images_beyond_opencvs_limit_are_refused(size):
    content = bytearray(encoded(PICTURE, 'BMP'))
    content[18:26] = struct.pack('<ii', *size)
    for read in (read_header, decode_image):
        with pytest.raises(OSError, match='more than OpenCV reads'):
            read(bytes(content))


@pytest.mark.parametrize('orientation', [3, 6])
def test_label_maps_are_never_turned(tmp_path, orientation):
    labels = PIXELS[..., 0] % 5
    path = tmp_path / 'map.png'
    path.write_bytes(encoded(Image.fromarray(labels), 'PNG', orientation))
    np.testing.assert_array_equal(read_labels(path, 'map'), labels)
    np.testing.assert_array_equal(read_semantic_map(path), labels)
    content = encoded(PICTURE, 'PNG', orientation)
    np.testing.assert_array_equal(decode_stored_colours(content)[..., ::-1], PIXELS)


def test_converters_expect_labels_of_the_upright_image(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(encoded(PICTURE, 'JPEG', 6))
    assert image_shape(path) == (30, 20)


def test_places_that_are_no_file(tmp_path):
    (tmp_path / 'folder.jpg').mkdir()
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'gone.jpg')
    for name, text in (
        ('folder.jpg', 'is a folder'),
        ('link.jpg', 'does not exist'),
        ('none.jpg', 'does not exist'),
        ('folder.jpg/a.jpg', 'does not exist'),
    ):
        with pytest.raises(FileNotFoundError, match=f'{name} .image id 7. {text}'):
            read_upright(str(tmp_path / name), 7)
