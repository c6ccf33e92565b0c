"""Reading JSON: where it breaks, and the same content whole and in chunks."""

import json

import pytest

from mmwsis.formats.json_file import CocoStream, read_json

BROKEN = [
    (b'', 'Expecting value at line 1, column 1 of 0 bytes'),
    (b'{"images": [\n  {"id": 1,]}', 'line 2, column 12'),
    (b'{"images": [{"id": 1', "Expecting ',' delimiter at line 1, column 21 of 20"),
    (b'{"images": [], "anno', 'Unterminated string starting at line 1, column 16'),
    (b'{"images": [] "a": 1}', "Expecting ',' delimiter at line 1, column 15"),
    (b'{"images" []}', "Expecting ':' delimiter"),
    (b'{"images": [1 2]}', "Expecting ',' delimiter at line 1, column 15"),
    (b'{"images": [],}', 'property name'),
    (b'{images: []}', 'property name'),
    (b'{"images": []} x', 'Extra data'),
    (b'\xff\xfe\x00', 'truncated data'),
]


@pytest.mark.parametrize('read', [read_json, CocoStream])
@pytest.mark.parametrize('content, reason', BROKEN)
def test_no_json(tmp_path, read, content, reason):
    path = tmp_path / 'broken.json'
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read(str(path))
    message = str(caught.value)
    assert message.startswith(f'{path} is no valid JSON: ') and reason in message
    if reason != 'truncated data':
        assert message.endswith(
            'An interrupted download or copy looks like this; fetch or write the file '
            'again.'
        )


def test_text_that_is_not_utf_8_in_an_entry(tmp_path):
    path = tmp_path / 'latin1.json'
    path.write_bytes(b'{"images": [{"file_name": "d\xfcne.jpg"}]}')
    with pytest.raises(ValueError, match=f'{path} is no valid JSON: .*utf-8'):
        read_json(str(path))
    with pytest.raises(ValueError, match=f'{path} is no valid JSON: .*utf-8'):
        list(CocoStream(str(path)).events())


def test_no_object(tmp_path):
    (tmp_path / 'list.json').write_text('[1]')
    assert read_json(str(tmp_path / 'list.json')) == [1]
    with pytest.raises(ValueError) as caught:
        CocoStream(str(tmp_path / 'list.json'))
    assert str(caught.value) == (
        f'{tmp_path / "list.json"}: expected a COCO JSON, one object with the lists '
        'images, annotations and categories; got a list.'
    )


@pytest.mark.parametrize('read', [read_json, CocoStream])
def test_missing_file_says_what_makes_it(tmp_path, read):
    path = str(tmp_path / 'weak.json')
    with pytest.raises(FileNotFoundError, match=f'{path}.*coco2weak.py'):
        read(path)
    with pytest.raises(ValueError, match='ann_file is empty'):
        read('')
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path))


@pytest.mark.parametrize('number', [1, float('nan')])
def test_chunks_are_the_whole(tmp_path, monkeypatch, number):
    monkeypatch.setattr('mmwsis.formats.json_file.CHUNK', 2)
    content = dict(
        annotations=[dict(id=k, score=number) for k in range(5)],
        info=dict(images='\u00e9 "]}\\'),
        images=[],
        categories=7,
    )
    (tmp_path / 'f.json').write_text(json.dumps(content, indent=1))
    stream = CocoStream(str(tmp_path / 'f.json'))
    events = []
    for key, value in stream.events():
        events.append(
            (key, value if key != 'annotations' else [v['id'] for v in value])
        )
    assert stream.fraction == 1
    assert events == [
        ('info', content['info']),
        ('images', []),
        ('categories', 7),
        *(('annotations', ids) for ids in ([0, 1], [2, 3], [4])),
    ]
