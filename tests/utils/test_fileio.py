import json

import pytest

from mmwsis.utils.fileio import atomic_write_bytes, atomic_write_json, atomic_write_text


def test_writes_and_makes_parents(tmp_path):
    path = tmp_path / 'a' / 'b.json'
    atomic_write_json(path, {'é': [1, 2.5, None]})
    assert json.loads(path.read_text(encoding='utf-8')) == {'é': [1, 2.5, None]}
    atomic_write_text(path, 'é\n')
    assert path.read_bytes() == 'é\n'.encode()
    atomic_write_bytes(path, b'\x00\r\n')
    assert path.read_bytes() == b'\x00\r\n'
    assert [p.name for p in path.parent.iterdir()] == ['b.json']


@pytest.mark.parametrize(
    ('bad', 'error'), [({'x': float('nan')}, ValueError), ({'x': {1}}, TypeError)]
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, bad, error):
    path = tmp_path / 'labels.json'
    atomic_write_json(path, [1])
    with pytest.raises(error):
        atomic_write_json(path, bad)
    assert json.loads(path.read_text()) == [1]
    assert [p.name for p in tmp_path.iterdir()] == ['labels.json']


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'labels.json'
    atomic_write_text(path, 'old')

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('mmwsis.utils.fileio.os.replace', killed)
    with pytest.raises(KeyboardInterrupt):
        atomic_write_text(path, 'new')
    assert path.read_text() == 'old'
