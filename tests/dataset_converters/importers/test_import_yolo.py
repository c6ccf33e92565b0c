"""YOLO's texts: outlines, boxes, and what is broken."""

import json

import pytest
from PIL import Image


@pytest.fixture
def yolo(tmp_path):
    """Writes texts beside images of 200 x 100 pixels; gives the folder."""

    def write(texts, names='names: {0: bolt, 3: hex nut}'):
        for stem, text in texts.items():
            for kind in ('images', 'labels'):
                (tmp_path / 'train' / kind / stem).parent.mkdir(
                    parents=True, exist_ok=True
                )
            Image.new('RGB', (200, 100)).save(tmp_path / f'train/images/{stem}.jpg')
            (tmp_path / f'train/labels/{stem}.txt').write_text(text)
        (tmp_path / 'data.yaml').write_text(names)
        return tmp_path

    return write


def imported(run_tool, folder, *options):
    out = folder / 'out.json'
    command = ('--from', 'yolo-seg', folder, '--img-dir', folder / 'train/images')
    run_tool(*command, '--out', out, '--workers', 1, *options)
    return json.loads(out.read_text())


def test_outlines_and_boxes(run_tool, yolo):
    texts = {
        'day 1/a': '3 0.1 0.1 0.2 0.1 0.2 0.3 0.1 0.3\n0 0 0 0.5 0 0.5 1\n\n',
        'b': '0 0.5 0.5 0.25 0.5\n',
        'nothing': '',
    }
    coco = imported(run_tool, yolo(texts))
    assert [one['name'] for one in coco['categories']] == ['bolt', 'hex nut']
    levels = {one['file_name']: one['supervision'] for one in coco['images']}
    assert levels['day 1/a.jpg'] == 'masks' and levels['b.jpg'] == 'boxes'
    box, nut, bolt = coco['annotations']
    assert box['bbox'] == [75, 25, 50, 50]
    assert nut['segmentation'] == [[20, 10, 40, 10, 40, 30, 20, 30]]
    assert nut['category_id'] == 2 and bolt['category_id'] == 1


@pytest.mark.parametrize(
    'text, message',
    [
        ('1 0 0 1 0 1 1', 'class 1 is none of data.yaml'),
        ('0 0 0 1 0 1 1 1', '7 numbers after the class'),
        ('0 0 0 1 0', 'has no area'),
        ('0 0 0 x 0 1 1', 'could not convert'),
        ('0 0 0 nan 0 1 1', 'no finite number'),
    ],
)
def test_broken_lines(run_tool, yolo, text, message):
    folder = yolo({'a': f'0 0 0 1 0 1 1\n{text}\n'})
    with pytest.raises(SystemExit, match=rf'a\.txt: line 2.*{message}'):
        imported(run_tool, folder)
    assert len(imported(run_tool, folder, '--skip-invalid')['annotations']) == 1


def test_what_is_missing(run_tool, yolo):
    folder = yolo({'a': '0 0 0 1 0 1 1'}, names='nc: 2')
    with pytest.raises(SystemExit, match=r'data\.yaml has no list of names'):
        imported(run_tool, folder)
    (folder / 'data.yaml').write_text('names: [bolt]')
    (folder / 'train/images/a.jpg').unlink()
    Image.new('RGB', (9, 9)).save(folder / 'train/images/c.jpg')
    with pytest.raises(SystemExit, match=r'a\.txt'):
        imported(run_tool, folder)
    (folder / 'data.yaml').unlink()
    with pytest.raises(SystemExit, match=r'data\.yaml does not exist'):
        imported(run_tool, folder)
