import functools
import json
import os
import signal

import pytest

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.image_records import (
    ConversionError,
    coco_document,
    convert_images,
    read_list,
)
from mmwsis.dataset_converters.outputs import Outputs

NAMES = [f'image{k}' for k in range(20)]


def to_record(name, broken=(), killed_at=None):
    """Fails or is killed at given images."""
    if name == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    if name in broken:
        raise ValueError(f'{name}.png: object 3 is broken')
    image = dict(file_name=name, width=4, height=4, tags=[1])
    return dict(image=image, objects=[])


def assemble(records):
    info = dict(mmwsis=dict(supervision='image_tags'))
    return coco_document(records, info, [dict(id=1, name='cat')])


def convert(path, *options, broken=(), killed_at=None, **more):
    function = functools.partial(to_record, broken=broken, killed_at=killed_at)
    run = RunOptions(*options, **more)
    with Outputs() as files:
        return convert_images(NAMES, function, [path], assemble, run, files, 'source')


@pytest.mark.parametrize('workers', [1, 3])
def test_the_result_does_not_depend_on_the_workers(tmp_path, workers):
    counts = []
    document, left_out = convert(
        tmp_path / 'a.json', workers, open_progress=lambda total: counts.append
    )
    assert [image['file_name'] for image in document['images']] == NAMES
    assert left_out == []
    assert counts == [1] * 20
    assert json.loads((tmp_path / 'a.json').read_bytes()) == document


def test_a_dead_worker_names_its_image_and_nothing_is_written(tmp_path):
    out = tmp_path / 'out.json'
    with pytest.raises(RuntimeError, match=r'died.* image image17\b'):
        convert(out, 2, killed_at='image17')
    assert list(tmp_path.iterdir()) == []
    convert(out, 2)


def test_files_that_are_there_are_refused(tmp_path):
    out = tmp_path / 'out.json'
    out.write_text('{"images": []}')
    with pytest.raises(FileExistsError, match='--overwrite'):
        convert(out)
    assert out.read_text() == '{"images": []}'
    document, _ = convert(out, overwrite=True)
    assert json.loads(out.read_bytes()) == document


@pytest.mark.parametrize('workers', [1, 2])
def test_all_broken_images_are_reported_and_nothing_is_written(tmp_path, workers):
    out = tmp_path / 'out.json'
    broken = ('image2', 'image18')
    with pytest.raises(ConversionError) as error:
        convert(out, workers, broken=broken)
    assert error.value.problems == [
        f'{name}.png: object 3 is broken' for name in broken
    ]
    assert 'image18.png: object 3' in str(error.value)
    assert not out.exists()
    document, left_out = convert(out, workers, skip_invalid=True, broken=broken)
    assert len(document['images']) == 18 and len(left_out) == 2
    assert document['info']['mmwsis']['skipped_images'] == 2
    with pytest.raises(ConversionError, match='(?s)20 image.* and 10 more, which'):
        convert(tmp_path / 'b.json', skip_invalid=True, broken=NAMES)


def test_lists(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('2007_000032\n/JPEGImages/2007_000039.jpg /x/2007_000039.png\n\n')
    assert read_list(path) == ['2007_000032', '2007_000039']
    path.write_text('a\nb\na\n')
    with pytest.raises(ValueError, match=r"list.txt: image 'a' is listed twice"):
        read_list(path)
    path.write_text('\n')
    with pytest.raises(ValueError, match=r'list.txt: no image'):
        read_list(path)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read_list(tmp_path / 'none.txt')
