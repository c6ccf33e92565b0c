"""The page of a review list: what it holds, and how it works in a real browser."""

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import Browser, needs_browser

from mmwsis.evaluation.review_list import ReviewedLabel, ReviewList
from mmwsis.evaluation.review_page import thumbnail, write_page
from mmwsis.formats.coco_masks import encode_mask

EVIL = '</script><img src=x onerror=alert(1)> "&\''
HEIGHT, WIDTH = 40, 60


def review(count):
    """Labels of three classes; scores fall while confidences rise."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:25, 20:40] = 1
    segmentation = encode_mask(mask)
    rows = []
    for number in range(count):
        image = dict(id=number // 4, file_name=f'{EVIL}/{number // 4}.png')
        rows.append(
            ReviewedLabel(
                dict(id=1000 + number, segmentation=segmentation),
                dict(image, height=HEIGHT, width=WIDTH),
                ('nut', 'bolt', EVIL)[number % 3],
                dict(score=1 - number / count, crf=None if number % 2 else 0.25),
                number / count,
                'score' if number % 2 else '',
            )
        )
    return ReviewList(Path('labels.json'), {}, rows, ('score', 'crf'), False, 0)


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp('review') / 'review.html'
    write_page(review(240), out)
    return out


@pytest.fixture(scope='module')
def browser():
    with Browser() as one:
        yield one


def test_a_page_holds_its_rows_and_no_text_of_them_is_html(page):
    text = page.read_text()
    assert EVIL not in text and text.count('</script>') == 2
    found = re.search(r'id="labels">(.*?)</script>', text, re.S)[1]
    content = json.loads(found)
    assert content['classes'] == sorted(['nut', 'bolt', EVIL])
    row = content['rows'][1]
    assert row[:4] == [2, 0, 1001, f'{EVIL}/0.png'] and row[6] == [0.9958, None]
    assert content['signals'][row[7]] == 'score' and content['rows'][0][7] == -1
    data = np.frombuffer(base64.b64decode(row[8]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert max(picture.shape) == 100


def test_fewer_labels_are_shown_on_request(tmp_path):
    write_page(review(9), tmp_path / 'few.html', limit=4)
    text = (tmp_path / 'few.html').read_text()
    assert '4 of 9 pseudo labels' in text and '[4,0,1003' in text
    assert '1004' not in text


def test_an_outline_follows_the_mask():
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:30, 20:40] = 1
    shown = thumbnail(rgb, encode_mask(mask))
    yellow = (shown[..., 0] > 200) & (shown[..., 2] < 60)
    rows, columns = np.nonzero(yellow)
    # 20 pixels and margins of 8 are shown at 100 / 36 of their size.
    assert shown.shape == (100, 100, 3)
    assert abs(rows.min() - 22) <= 1 and abs(rows.max() - 77) <= 1
    assert abs(columns.min() - 22) <= 1 and abs(columns.max() - 77) <= 1
    assert (thumbnail(rgb, encode_mask(mask * 0)) == 90).all()


@needs_browser
@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [390, 1280])
def test_a_list_reads_well(browser, page, width, scheme):
    tab = browser.open(page, width, scheme)
    assert tab.overflow() == tab.without_alt() == []
    assert tab.errors() == tab.fetched() == []
    assert min(tab.contrasts()) >= 4.5
    # Of 240 rows those in view are drawn.
    drawn = tab.run('document.querySelectorAll(".label").length')
    assert 4 <= drawn <= 20
    tab.run('document.querySelector("details").open = true')
    assert tab.overflow() == []


@needs_browser
def test_a_list_is_sorted_filtered_and_scrolled(browser, page):
    tab = browser.open(page)
    change = (
        '(() => {{ {} document.getElementById("controls")'
        '.dispatchEvent(new Event("input")); }})()'
    )
    first = (
        '[...document.querySelectorAll(".label b")].slice(0, 3)'
        '.map(b => b.textContent.split(" ")[0])'
    )
    count = 'document.getElementById("count").textContent'
    get = 'document.getElementById("{}").value = "{}";'

    def after(**values):
        tab.run(change.format(''.join(get.format(*one) for one in values.items())))
        return tab.run(first), tab.run(count)

    assert tab.run(first) == ['#1', '#2', '#3']
    assert after(order='score') == (['#240', '#239', '#238'], '240 of 240 labels')
    # Labels without the signal are last, in either direction.
    assert after(order='crf', down='1')[0] == ['#1', '#3', '#5']
    nut = 'document.getElementById("class").selectedIndex = 3;'
    tab.run(change.format(nut))
    assert tab.run(count) == '80 of 240 labels'
    assert after(text='1003', order='rank', down='')[1] == '1 of 240 labels'
    tab.run('document.querySelector("button[type=reset]").click()')
    limit = 'document.querySelector("#ranges input").value = "0.9";'  # confidence from
    tab.run('new Promise(r => setTimeout(r))'), tab.run(change.format(limit))
    assert tab.run(count) == '24 of 240 labels' and tab.run(first)[0] == '#217'
    tab.run('document.getElementById("rows").scrollTop = 1e6')
    shown = 'new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))'
    tab.call('Runtime.evaluate', expression=shown, awaitPromise=True)
    last = '[...document.querySelectorAll(".label b")].at(-1).textContent'
    assert tab.run(last).startswith('#240 ')


@needs_browser
@pytest.mark.slow
def test_ten_thousand_labels_stay_usable(browser, tmp_path):
    """Each change is shown within two seconds, on a busy machine, too."""
    write_page(review(10_000), tmp_path / 'long.html')
    tab = browser.open(tmp_path / 'long.html')
    assert tab.errors() == tab.fetched() == []
    count = 'document.getElementById("count").textContent'
    assert tab.run(count) == '10000 of 10000 labels'
    assert tab.run('document.querySelectorAll(".label").length') <= 20
    timed = """(() => {{
      const start = performance.now(); {}
      document.getElementById("controls").dispatchEvent(new Event("input"));
      document.body.getBoundingClientRect();
      return performance.now() - start;
    }})()"""
    steps = (
        'document.getElementById("order").value = "score";',
        'document.getElementById("down").value = "1";',
        'document.getElementById("class").selectedIndex = 3;',
        'document.getElementById("text").value = "1003";',
    )
    for step in steps:
        assert tab.run(timed.format(step)) < 2000, step
    assert tab.run(count) != '10000 of 10000 labels'
    tab.run('document.querySelector("button[type=reset]").click()')
    scroll = 'document.getElementById("rows").scrollTop = 1e7;'
    assert tab.run(timed.format(scroll)) < 2000
