"""Whatever stands in a file, the result is issues or a ValueError."""

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmwsis.formats.validation import validate_file
from mmwsis.formats.validation.repairs import repair_coco
from mmwsis.formats.validation.report import report_json, report_text

JUNK = [
    *(None, True, -1, 0, 3, 10**30, 1e308, float('nan'), float('inf'), '', 'é', 'a'),
    *([], {}, [[]], [None], [{}], [1, 2], [1, 2, 3, 4], [[1, 2]] * 4, ['x'] * 4),
    *({'size': [90, 120], 'counts': '0'}, {'size': 3, 'counts': 4}, {'id': 70}),
]


def places(value, path=()):
    """Paths of all values in a document."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, entry in items:
        yield from places(entry, (*path, key))


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_junk_anywhere(clean, write, data):
    coco = copy.deepcopy(clean)
    coco['images'][0].update(tags=[17, 5], supervision='masks')
    coco['annotations'][1].update(score=0.5, segmentation=[], area=3000)
    for _ in range(data.draw(st.integers(1, 2))):
        *parents, last = data.draw(st.sampled_from(list(places(coco))[1:]))
        target = coco
        for key in parents:
            target = target[key]
        target[last] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    level = data.draw(st.sampled_from([None, 'image_tags', 'points', 'boxes', 'masks']))
    path = write(coco)
    try:
        report = validate_file(path, supervision=level)
    except ValueError as error:
        assert path in str(error)
        return
    assert report_text(report)
    assert report_json(report)['counts']
    repair_coco(coco)
