"""File names that are odd, and the files that they probably mean."""

import pytest

from mmwsis.formats.validation.file_names import likely_file, missing_hint, path_fault


@pytest.mark.parametrize(
    'name',
    [
        'a.png',
        'train/a b.png',
        'a%20b.jpg',
        '..a.png',
        'ä/ö.png',
        'a.b/c.tif',
        'a..png',
    ],
)
def test_usual_names(name):
    assert path_fault(name) == ''


@pytest.mark.parametrize(
    'name, word',
    [
        ('a\\b.png', 'backslashes'),
        ('/data/a.png', 'absolute'),
        ('C:\\data\\a.png', 'absolute'),
        ('d:/a.png', 'absolute'),
        ('\\\\server\\a.png', 'absolute'),
        ('http://example.org/a.png', 'URL'),
        (' a.png', 'blank'),
        ('a.png\n', 'blank'),
        ('a\tb.png', 'control'),
        ('../a.png', 'leaves'),
    ],
)
def test_odd_names(name, word):
    assert word in path_fault(name)


@pytest.mark.parametrize(
    'name, file, reason, certain',
    [
        ('sub\\Photo 1.jpg', 'sub/Photo 1.jpg', 'backslashes', True),
        ('sub/Photo%201.jpg', 'sub/Photo 1.jpg', 'URL', True),
        ('sub/Photo+1.jpg', 'sub/Photo 1.jpg', '+', True),
        (' sub/Photo 1.jpg', 'sub/Photo 1.jpg', 'blanks', True),
        ('SUB/photo 1.JPG', 'sub/Photo 1.jpg', 'case', True),
        ('u\u0308.png', '\u00fc.png', 'Unicode', True),
        ('C:\\data\\images\\sub\\Photo 1.jpg', 'sub/Photo 1.jpg', 'folder', True),
        ('images/\u00fc.png', '\u00fc.png', 'folder', True),
        ('sub/Photo 1.png', 'sub/Photo 1.jpg', 'extension', False),
    ],
)
def test_missing_files_that_have_another_name(tmp_path, name, file, reason, certain):
    (tmp_path / 'sub').mkdir()
    for path in ('sub/Photo 1.jpg', '\u00fc.png'):
        (tmp_path / path).touch()
    found = likely_file(str(tmp_path), name)
    assert found is not None and found[0] == file and found[2] is certain
    assert reason in found[1]
    assert file in missing_hint(str(tmp_path), name)


@pytest.mark.parametrize('name', ['b.png', 'x\0y.png', '\ud800', 'a' * 5000, ''])
def test_nothing_like_it(tmp_path, name):
    (tmp_path / 'a.png').touch()
    assert missing_hint(str(tmp_path), name) == ''
