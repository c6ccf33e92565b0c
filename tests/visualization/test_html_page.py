"""Self-contained HTML pages, in a real browser at two widths and in both schemes."""

import numpy as np
import pytest
from browser import Browser, contrast, needs_browser
from PIL import Image

from mmwsis.visualization.html_page import Html, HtmlPage, image_tag

EVIL = '<script>alert(1)</script> "&\''


@pytest.fixture(scope='module')
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp('page')
    noise = np.random.default_rng(0).integers(0, 256, (40, 1700, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / 'wide.png')
    page = HtmlPage(f'Title {EVIL}', contents=True)
    page.heading('Result')
    page.paragraph('A note that must not be missed.', kind='note')
    page.paragraph('Small print.', kind='soft')
    page.table(
        ['class', *(f'a rather long title {number}' for number in range(20))],
        [[f'{name} {EVIL}', *range(at, at + 20)] for name, at in [('b', 9), ('a', 10)]],
        caption='Per class',
        text_columns=1,
        sortable=True,
    )
    page.heading(f'Figures {EVIL}')
    page.picture(folder / 'wide.png', 'noise', 'A wide picture')
    page.picture(np.full((30, 60, 3), 200, np.uint8), 'a grey area')
    page.listing(['one', EVIL])
    page.code('python tools/train.py ' + 'a' * 500)
    return page.write(folder / 'page.html')


@needs_browser
@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [390, 1280])
def test_a_page_reads_well(browser, page, width, scheme):
    tab = browser.open(page, width, scheme)
    assert tab.overflow() == []
    assert tab.without_alt() == []
    assert tab.errors() == tab.fetched() == []
    contrasts = tab.contrasts()
    assert len(contrasts) >= 5
    assert min(contrasts) >= 4.5, contrasts
    paper = tab.run('getComputedStyle(document.body).backgroundColor')
    assert (contrast(paper, 'rgb(0, 0, 0)') > 15) == (scheme == 'light')
    assert tab.run('document.title') == f'Title {EVIL}'
    # A wide table is reached by scrolling its own box.
    wide = 'document.querySelector(".box").scrollWidth'
    assert tab.run(wide) > width - 40


@needs_browser
def test_the_checks_see_what_is_wrong(browser, tmp_path):
    """Each of them fails on a page that is bad in its own way."""
    page = HtmlPage('Bad')
    page.raw('<p style="width:2000px;color:#999">too wide, too pale</p>')
    page.raw('<img src="https://example.org/a.png">')
    page.script('undefinedFunction()')
    tab = browser.open(page.write(tmp_path / 'bad.html'), 390)
    assert any(one.startswith('P ') for one in tab.overflow())
    assert min(tab.contrasts()) < 4.5
    assert len(tab.without_alt()) == 1
    errors = str(tab.errors())
    assert 'undefinedFunction' in errors
    assert 'Content Security Policy' in errors  # the page itself forbids to fetch
    tab.screenshot(tmp_path / 'bad.png')
    assert Image.open(tmp_path / 'bad.png').size[0] >= 390


@needs_browser
def test_a_click_sorts_by_number_then_the_other_way(browser, page):
    tab = browser.open(page)
    names = '[...document.querySelectorAll("td:first-child")].map(c => c.innerText[0])'
    click = 'document.querySelectorAll("th button")[{}].click()'
    for column, expected in [(0, 'ab'), (1, 'ba'), (1, 'ab')]:
        tab.run(click.format(column))
        assert ''.join(tab.run(names)) == expected


def test_text_is_escaped_and_html_is_not(page):
    assert EVIL not in page.read_text()
    table = HtmlPage('t')
    table.table(['picture'], [[image_tag(np.zeros((2, 2, 3), np.uint8), EVIL)]])
    table.table(['text'], [[Html('<b>bold</b>')], ['<b>']])
    html = table.html()
    assert '<td><img src="data:image/png;base64,' in html
    assert '<td><b>bold</b></td>' in html and '>&lt;b&gt;</td>' in html
    assert EVIL not in html


def test_pictures_are_small_and_have_an_alternative_text(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (50, 200, 3), dtype=np.uint8)
    assert image_tag(photo, 'noise').startswith('<img src="data:image/jpeg;')
    tag = image_tag(photo, 'noise', max_width=100)
    assert tag.endswith('alt="noise" width="100" height="25">')
    with pytest.raises(ValueError, match='alternative text'):
        image_tag(photo, ' ')
    with pytest.raises(OSError, match='missing.png'):
        image_tag(tmp_path / 'missing.png', 'nothing')
