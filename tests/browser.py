"""A headless Chromium, driven by the DevTools protocol: pages as people see them.

``with Browser() as browser: page = browser.open(file, width=390)``; the tests that use
it are skipped where there is no Chromium. No driver is needed: the protocol's messages
go over two pipes.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import pytest

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason='no Chromium installed')

_PATIENCE = 120  # seconds; machines may be busy
# What is cut off or hangs over the window. Content of a box that scrolls may be wider.
_OVERFLOW = """(() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width)
    found.push('page ' + document.documentElement.scrollWidth);
  for (const one of document.body.querySelectorAll('*')) {
    const box = one.getBoundingClientRect();
    if (one.parentElement.closest('.box') || box.width === 0) continue;
    if (box.right > width + 1 || box.left < -1)
      found.push(one.tagName + ' ' + Math.round(box.right));
    const shown = getComputedStyle(one).overflowX;
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth && shown !== 'auto')
      found.push(one.tagName + ' holds ' + one.scrollWidth);
  }
  return found;
})()"""
# Pairs of colours of all elements with text of their own, and one text for each.
_COLORS = """(() => {
  const found = {};
  for (const one of document.body.querySelectorAll('*')) {
    const own = [...one.childNodes].find(n => n.nodeType === 3 && n.data.trim());
    if (!own || ['SCRIPT', 'STYLE'].includes(one.tagName)) continue;
    let ground = one, back;
    do { back = getComputedStyle(ground).backgroundColor; ground = ground.parentElement;
    } while (ground && /, 0\\)$|transparent/.test(back));
    found[getComputedStyle(one).color + '|' + back] =
      one.tagName + ': ' + own.data.trim().slice(0, 40);
  }
  return found;
})()"""


class Browser:
    """A Chromium of its own profile; ends with the ``with`` block."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on descriptor 4.
        command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out} 2>/dev/null'
        command = ['bash', '-c', command, 'bash', CHROMIUM]
        command += ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run']
        command += ['--disable-dev-shm-usage', '--hide-scrollbars']
        command += ['--remote-debugging-pipe', f'--user-data-dir={self._folder.name}']
        self._process = subprocess.Popen(
            command, pass_fds=[theirs_in, theirs_out], start_new_session=True
        )
        os.close(theirs_in), os.close(theirs_out)
        self._out, self._in = os.fdopen(ours_out, 'wb', 0), os.fdopen(ours_in, 'rb', 0)
        self._numbers, self._rest = count(1), b''
        self.events = []
        return self

    def __exit__(self, *error):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._out.close(), self._in.close()
        shutil.rmtree(self._folder.name, ignore_errors=True)

    def call(self, method, session=None, **parameters):
        """Send one command; returns its result. Events on the way are kept."""
        number = next(self._numbers)
        message = dict(id=number, method=method, params=parameters)
        if session:
            message['sessionId'] = session
        self._out.write(json.dumps(message).encode() + b'\0')
        while True:
            answer = self._read()
            if answer.get('id') == number:
                assert 'error' not in answer, f'{method}: {answer["error"]}'
                return answer['result']
            self.events.append(answer)

    def _read(self):
        while b'\0' not in self._rest:
            ready, _, _ = select.select([self._in], [], [], _PATIENCE)
            assert ready, f'Chromium was silent for {_PATIENCE} s.'
            more = self._in.read(1 << 20)
            assert more, 'Chromium has ended.'
            self._rest += more
        message, _, self._rest = self._rest.partition(b'\0')
        return json.loads(message)

    def open(self, file, width=1280, scheme='light'):
        """Open a file in a new tab of a width in pixels, 'light' or 'dark'."""
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        session = self.call('Target.attachToTarget', targetId=target, flatten=True)
        tab = Tab(self, session['sessionId'])
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            tab.call(f'{domain}.enable')
        size = dict(width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        tab.call('Emulation.setDeviceMetricsOverride', **size)
        media = [dict(name='prefers-color-scheme', value=scheme)]
        tab.call('Emulation.setEmulatedMedia', features=media)
        tab.call('Page.navigate', url=Path(file).resolve().as_uri())
        while not any(tab.events('Page.loadEventFired')):
            self.events.append(self._read())
        return tab


class Tab:
    """One open page."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def events(self, *methods):
        """Parameters of the events of these kinds so far."""
        for event in self.browser.events:
            mine = event.get('sessionId') == self.session
            if mine and event.get('method') in methods:
                yield event['params']

    def run(self, javascript):
        """Evaluate an expression; returns its value."""
        done = self.call('Runtime.evaluate', expression=javascript, returnByValue=True)
        assert 'exceptionDetails' not in done, done['exceptionDetails']
        return done['result'].get('value')

    def errors(self):
        """What the console says of errors and warnings, exceptions included."""
        thrown = [one['exceptionDetails'] for one in self.events(_THROWN)]
        said = [one['entry']['text'] for one in self.events('Log.entryAdded')]
        told = self.events('Runtime.consoleAPICalled')
        return thrown + said + [one for one in told if one['type'] == 'error']

    def fetched(self):
        """Addresses that it has asked for besides its own."""
        asked = self.events('Network.requestWillBeSent')
        urls = [one['request']['url'] for one in asked]
        return [url for url in urls[1:] if not url.startswith('data:')]

    def overflow(self):
        """What is wider than the window or cut off; empty on a good page."""
        return self.run(_OVERFLOW)

    def without_alt(self):
        """Pictures without alternative text, or that cannot be shown."""
        bad = '[...document.images].filter(i => !i.alt.trim() || !i.naturalWidth)'
        return self.run(f'{bad}.map(i => i.outerHTML.slice(0, 200))')

    def contrasts(self):
        """Contrast of each text to its ground (WCAG 2.1) -> such a text."""
        pairs = self.run(_COLORS)
        return {contrast(*pair.split('|')): text for pair, text in pairs.items()}

    def screenshot(self, path, whole=True):
        """Write a PNG of the whole page, or of what the window shows."""
        shot = self.call('Page.captureScreenshot', captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(shot['data']))


_THROWN = 'Runtime.exceptionThrown'


def contrast(one, other):
    """Contrast of two colours such as 'rgb(1, 2, 3)': 1 to 21 (WCAG 2.1)."""
    light = sorted(_luminance(color) for color in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def _luminance(color):
    parts = [float(part) / 255 for part in color[color.index('(') + 1 : -1].split(',')]
    assert len(parts) == 3, f'{color} is not opaque'
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def overflow(file, width):
    """What of a page hangs over a window of this width; see :meth:`Tab.overflow`."""
    with Browser() as browser:
        return browser.open(file, width).overflow()
