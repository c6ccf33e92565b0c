import json

import pytest

from mmwsis.dataset_converters.image_records import (
    ConversionError,
    convert_images,
    read_list,
)
from mmwsis.dataset_converters.unfinished import UnfinishedFile

NAMES = [f'image{k}' for k in range(20)]


class Converter:
    """Counts its calls; fails or is killed at given images."""

    def __init__(self, broken=(), killed_at=None):
        self.broken, self.killed_at, self.calls = broken, killed_at, []

    def __call__(self, name):
        self.calls.append(name)
        if name == self.killed_at:
            raise KeyboardInterrupt
        if name in self.broken:
            raise ValueError(f'{name}.png: object 3 is broken')
        return dict(name=name)


def assemble(records):
    return dict(info=dict(mmwsis={}), names=[record['name'] for record in records])


def convert(path, converter, **options):
    return convert_images(
        NAMES, converter, path, dict(tool='test'), assemble, **options
    )


def test_a_kill_costs_only_the_chunk_under_way(tmp_path):
    whole = tmp_path / 'whole.json'
    convert(whole, Converter())
    out = tmp_path / 'out.json'
    with pytest.raises(KeyboardInterrupt):
        convert(out, Converter(killed_at='image17'))
    assert not out.exists()
    unfinished = tmp_path / 'out.json.unfinished'
    # The process died while it wrote a line.
    with unfinished.open('ab') as file:
        file.write(b'{"chunk":2,"records":[{"na')
    second = Converter()
    counts = []
    convert(out, second, progress=counts.append)
    assert second.calls == NAMES[16:]
    assert counts == [16, 4]
    assert out.read_bytes() == whole.read_bytes()
    assert not unfinished.exists()


def test_finished_files_are_kept_and_foreign_ones_refused(tmp_path):
    out = tmp_path / 'out.json'
    first, _ = convert(out, Converter())
    again = Converter()
    assert convert(out, again) == (first, [])
    assert again.calls == []
    with pytest.raises(FileExistsError, match='not made with these settings'):
        convert_images(
            NAMES[:3], Converter(), out, dict(tool='test'), assemble, workers=1
        )
    out.write_text('{"images": []}')
    with pytest.raises(FileExistsError, match='--overwrite'):
        convert(out, Converter())
    convert(out, Converter(), overwrite=True)
    assert json.loads(out.read_bytes()) == first


def test_all_broken_images_are_reported_and_nothing_is_written(tmp_path):
    out = tmp_path / 'out.json'
    broken = ('image2', 'image18')
    with pytest.raises(ConversionError) as error:
        convert(out, Converter(broken))
    assert error.value.problems == [
        f'{name}.png: object 3 is broken' for name in broken
    ]
    assert 'image18.png: object 3' in str(error.value)
    assert not out.exists()
    # Mended: only the chunks with broken images are converted again.
    mended = Converter()
    convert(out, mended)
    assert mended.calls == [*NAMES[:8], *NAMES[16:]]
    document, left_out = convert(
        out, Converter(broken), skip_invalid=True, overwrite=True
    )
    assert len(document['names']) == 18 and len(left_out) == 2
    assert document['info']['mmwsis']['skipped_images'] == 2
    # A file with gaps does not pass for a whole one.
    with pytest.raises(FileExistsError):
        convert(out, Converter())
    with pytest.raises(ConversionError, match='20 image'):
        convert(tmp_path / 'b.json', Converter(NAMES), skip_invalid=True)


def test_other_settings_do_not_mix(tmp_path):
    out = tmp_path / 'out.json'
    with UnfinishedFile(out, dict(tool='test', tags='xml')) as unfinished:
        unfinished.append(0, [1])
    with (
        pytest.raises(ValueError, match='tags: "xml" then, "masks" now'),
        UnfinishedFile(out, dict(tool='test', tags='masks')),
    ):
        pass
    with UnfinishedFile(out, dict(tool='test', tags='xml')) as unfinished:
        assert unfinished.chunks == {0: [1]}
    with UnfinishedFile(out, dict(tags='masks'), restart=True) as unfinished:
        assert unfinished.chunks == {}
    unfinished.path.write_bytes(unfinished.path.read_bytes() + b'no json\n')
    with (
        pytest.raises(ValueError, match='line 2 is damaged'),
        UnfinishedFile(out, dict(tags='masks')),
    ):
        pass


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
