"""One value of a valid document is changed: an error that names the file, or a file
that the validator accepts, and no other exception."""

import base64
import copy
import json
import math

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    import_labels,
)
from mmwsis.formats.validation import validate_file

VALUES = [
    None, '', ' ', 'x', '7', 'inf', 'a\0b', '\ud800', '../x', 'C:\\x', '%', '%ff', '[',
    [], {}, [[]], [None], [1, 2, 3], ['x'], [[1, 2], [3]], {'x': {'y': [1]}}, True,
    False, 0, -1, 1, 0.5, 3, 1e9, -1e9, 1e308, 2**31, 2**63, 10**400, math.nan,
    math.inf, -math.inf,
]  # fmt: skip
PIXELS = np.ones((4, 6), np.uint8)
PNG = base64.b64encode(cv2.imencode('.png', PIXELS)[1].tobytes()).decode()


def drawn(label, kind, points, **more):
    return dict(
        label=label, points=points, group_id=None, shape_type=kind, flags={}, **more
    )


LABELME = dict(
    version='5.4.1',
    flags={'sunny': True},
    shapes=[
        drawn('a', 'polygon', [[2, 2], [30, 3], [20, 25]]),
        drawn('a', 'rectangle', [[5, 6], [30, 20]]),
        drawn('b', 'point', [[8.5, 9]]),
        drawn('b', 'mask', [[10, 10], [15, 13]], mask=PNG),
        drawn('b', 'oriented_rectangle', [[9, 5], [20, 9], [18, 15], [7, 11]]),
        drawn('_background_', 'polygon', [[8, 8], [15, 8], [12, 15]]),
    ],
    imagePath='a.png',
    imageData=None,
    imageHeight=30,
    imageWidth=40,
)


def result(kind, **value):
    return dict(
        id='r',
        type=kind,
        from_name='label',
        to_name='image',
        original_width=40,
        original_height=30,
        image_rotation=0,
        value={**value, kind: ['a']},
    )


LABELSTUDIO = [
    dict(
        id=1,
        data=dict(image='/data/upload/1/1a2b3c4d-a.png'),
        annotations=[
            dict(
                id=5,
                completed_by=dict(id=1, email='a@example.org'),
                was_cancelled=False,
                ground_truth=False,
                updated_at='2024-05-01T10:00:00Z',
                result=[
                    result(
                        'rectanglelabels', x=5, y=6, width=30, height=40, rotation=9
                    ),
                    result('keypointlabels', x=5, y=6, width=0.5),
                    result('polygonlabels', points=[[5, 6], [50, 6], [20, 70]]),
                    result('brushlabels', format='rle', rle=[0, 0, 18, 192, 57]),
                    result('choices', choices=['b']),
                    dict(type='relation', from_id='r', to_id='r', direction='right'),
                ],
            )
        ],
        predictions=[],
    )
]


def node(tag, *children, text='', **attributes):
    return dict(tag=tag, text=text, attributes=attributes, children=list(children))


CVAT = node(
    'annotations',
    node('version', text='1.1'),
    node('meta', node('label', node('name', text='a'))),
    node(
        'image',
        node('box', label='a', xtl='1', ytl='2', xbr='9', ybr='8', rotation='30'),
        node('polygon', label='a', points='1,1;9,1;9,9', group_id='1', z_order='2'),
        node('points', label='b', points='3,3;5,9;20,20;12,1', occluded='1'),
        node('mask', label='b', rle='1,5,6', left='3', top='4', width='4', height='3'),
        node('tag', node('attribute', text='x', name='y'), label='c'),
        node('skeleton', node('points', label='1', points='1,1'), label='c'),
        id='0',
        name='a.png',
        subset='train',
        width='40',
        height='30',
    ),
)


def to_xml(entry):
    if not isinstance(entry, dict) or 'tag' not in entry:
        return ''
    values = entry.get('attributes')
    pairs = values.items() if isinstance(values, dict) else ()
    attributes = ''.join(f' {key}="{escaped(value)}"' for key, value in pairs)
    children = entry.get('children')
    inner = ''.join(map(to_xml, children if isinstance(children, list) else ()))
    tag = entry['tag'] if entry['tag'] in TAGS else 'x'
    return f'<{tag}{attributes}>{escaped(entry.get("text", ""))}{inner}</{tag}>'


TAGS = (
    'annotations', 'version', 'meta', 'label', 'name', 'image', 'box', 'polygon',
    'mask', 'points', 'tag', 'attribute', 'skeleton',
)  # fmt: skip


def escaped(value):
    text = '' if value is None else str(value)[:400]
    for old, new in (('&', '&amp;'), ('<', '&lt;'), ('"', '&quot;'), ('\0', '\\0')):
        text = text.replace(old, new)
    return text.encode(errors='replace').decode()


def places(value, path=()):
    """Paths of all values of a document."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else pairs:
        yield from places(inner, (*path, key))


@st.composite
def changed(draw, document):
    """The document with one value replaced, taken out or doubled."""
    document = copy.deepcopy(document)
    path = draw(st.sampled_from(list(places(document))))
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    how = draw(st.sampled_from(['replace'] * 6 + ['remove', 'double', 'rename']))
    if how == 'remove':
        del owner[path[-1]]
    elif how == 'double' and isinstance(owner, list):
        owner.append(copy.deepcopy(owner[path[-1]]))
    elif how == 'rename' and isinstance(owner, dict):
        owner['other'] = owner.pop(path[-1])
    else:
        owner[path[-1]] = draw(st.sampled_from(VALUES))
    return document


CHOICES = st.fixed_dictionaries(
    dict(
        points_from_boxes=st.booleans(),
        split_points=st.booleans(),
        quads=st.sampled_from(['polygon', 'extreme_points']),
        missing_images=st.sampled_from(['error', 'keep']),
    )
)


@pytest.fixture
def folder(tmp_path):
    Image.new('RGB', (40, 30)).save(tmp_path / 'a.png')
    return tmp_path


def check(tool, path, choices, skip_invalid):
    out = path.parent / 'out.weak'
    out.unlink(missing_ok=True)
    run = RunOptions(skip_invalid=skip_invalid)
    try:
        import_labels(tool, path, out, ImportSettings(**choices), run=run)
    except ValueError as error:  # RuntimeError is what a bug in a worker becomes.
        assert path.name in str(error)
        assert not out.exists()
        return
    assert not validate_file(str(out)).failed()


def fuzz(document):
    def decorate(test):
        suppressed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
        run = settings(
            max_examples=150, deadline=None, suppress_health_check=suppressed
        )
        return run(given(changed(document), CHOICES, st.booleans())(test))

    return decorate


@fuzz(LABELME)
def test_labelme(folder, document, choices, skip_invalid):
    (folder / 'a.json').write_text(json.dumps(document))
    check('labelme', folder / 'a.json', choices, skip_invalid)


@fuzz(LABELSTUDIO)
def test_labelstudio(folder, document, choices, skip_invalid):
    (folder / 'a.json').write_text(json.dumps(document))
    check('labelstudio', folder / 'a.json', choices, skip_invalid)


@fuzz(CVAT)
def test_cvat(folder, document, choices, skip_invalid):
    (folder / 'a.xml').write_text(to_xml(document))
    check('cvat', folder / 'a.xml', choices, skip_invalid)


@pytest.mark.parametrize('text', ['', '\0', '[', '{', '"x"', 'null', '1', '[' * 5000])
@pytest.mark.parametrize('tool', ['labelme', 'labelstudio', 'cvat'])
def test_no_document_at_all(folder, tool, text):
    (folder / 'a.json').write_text(text)
    check(tool, folder / 'a.json', {}, False)


def test_the_documents_are_valid(folder):
    for tool, text in (
        ('labelme', json.dumps(LABELME)),
        ('labelstudio', json.dumps(LABELSTUDIO)),
        ('cvat', to_xml(CVAT)),
    ):
        (folder / 'a.json').write_text(text)
        choices = ImportSettings(points_from_boxes=True)
        run = RunOptions(overwrite=True)
        result = import_labels(
            tool, folder / 'a.json', folder / 'o.x', choices, run=run
        )
        assert result.coco['annotations'], tool
