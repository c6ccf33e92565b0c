"""Style and script of the review page: a list that draws the rows in view alone."""

STYLE = """<style>
#controls{display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:end;margin:1rem 0}
#controls label{display:flex;flex-direction:column;font-size:.85rem;max-width:100%}
#controls details{flex-basis:100%}
#controls input,#controls select,#controls button{font:inherit;color:inherit;
background:var(--panel);border:1px solid var(--line);border-radius:6px;
padding:.3rem .5rem;max-width:100%}
#ranges{display:flex;flex-wrap:wrap;gap:.5rem 1rem;padding:.5rem 0}
#ranges fieldset{border:1px solid var(--line);border-radius:6px;padding:.2rem .5rem;
margin:0}
#ranges input{width:5.5rem}
#rows{--row:112px;height:78vh;min-height:20rem;overflow-y:auto;overflow-x:hidden;
position:relative;contain:strict;border:1px solid var(--line);border-radius:6px}
.label{position:absolute;left:0;right:0;height:var(--row);display:flex;gap:.75rem;
padding:6px;border-bottom:1px solid var(--line);overflow:hidden}
.label img{width:100px;height:100px;object-fit:contain;flex:none;
background:var(--panel)}
.label div{min-width:0;flex:1;overflow-wrap:anywhere;line-height:1.35}
.label p{margin:0;max-width:none}
.where{font-size:.88rem}
.signals{font-size:.82rem;font-variant-numeric:tabular-nums}
.signals span{margin-right:.8em;white-space:nowrap}
.signals .low{font-weight:700;text-decoration:underline}
@media(max-width:40rem){#rows{--row:184px}}
</style>
"""

CONTROLS = """<form id="controls">
<label>search in file names and ids<input id="text" type="search"></label>
<label>class<select id="class"><option value="">all</option></select></label>
<label>order by<select id="order"></select></label>
<label>direction<select id="down"><option value="">rising</option>
<option value="1">falling</option></select></label>
<button type="reset">Show all</button>
<button type="button" id="save">Save these rows (CSV)</button>
<details><summary>Ranges of signals</summary><div id="ranges"></div></details>
</form>
<p id="count" role="status"></p>
<div id="rows" tabindex="0" role="list" aria-label="pseudo labels"></div>
<noscript><p class="note">This list needs JavaScript; review.csv has the same rows.</p>
</noscript>
"""

# A row is [rank, image id, annotation id, file, class, confidence, signals, weakest
# signal, picture]; class and weakest are indices.
SCRIPT = """(() => {
const data = JSON.parse(document.getElementById('labels').textContent);
const get = id => document.getElementById(id);
const form = get('controls'), list = get('rows');
const columns = ['rank', 'confidence', ...data.signals];
const value = (row, column) => column === 'rank' ? row[0]
  : column === 'confidence' ? row[5] : row[6][data.signals.indexOf(column)];
const make = (kind, text, name) => {
  const node = document.createElement(kind);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};
data.classes.forEach((name, at) => get('class').append(new Option(name, at)));
for (const name of columns) get('order').append(new Option(name, name));
const limits = columns.slice(1).map(name => {
  const set = make('fieldset'), ends = [];
  set.append(make('legend', name));
  for (const end of ['from', 'to']) {
    const input = make('input');
    input.type = 'number'; input.step = 'any'; input.placeholder = end;
    input.setAttribute('aria-label', name + ' ' + end);
    ends.push(input); set.append(input);
  }
  get('ranges').append(set);
  return [name, ...ends];
});
let shown = data.rows, height = 0, from = -1, to = -1;
function choose() {
  const text = get('text').value.trim().toLowerCase(), kind = get('class').value;
  const ranges = limits.filter(([, a, b]) => a.value !== '' || b.value !== '').map(
    ([name, a, b]) => [name, a.value === '' ? -Infinity : +a.value,
                       b.value === '' ? Infinity : +b.value]);
  shown = data.rows.filter(row =>
    (kind === '' || row[4] === +kind) &&
    (!text || (row[3] + ' ' + row[1] + ' ' + row[2]).toLowerCase().includes(text)) &&
    ranges.every(([name, a, b]) => {
      const own = value(row, name);
      return own !== null && own >= a && own <= b;
    }));
  const order = get('order').value, sign = get('down').value ? -1 : 1;
  if (order !== 'rank' || sign < 0) {
    const keys = new Map(shown.map(row => [row, value(row, order)]));
    shown.sort((one, other) => {
      const a = keys.get(one), b = keys.get(other);
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (a - b) || one[0] - other[0];
    });
  }
  get('count').textContent = shown.length + ' of ' + data.rows.length + ' labels';
  list.scrollTop = 0;
  draw(true);
}
function line(row, at) {
  const node = make('div', undefined, 'label'), text = make('div'), img = make('img');
  node.setAttribute('role', 'listitem');
  node.setAttribute('aria-posinset', at + 1);
  node.setAttribute('aria-setsize', shown.length);
  node.style.top = at * height + 'px';
  img.decoding = 'async';
  img.alt = data.classes[row[4]] + ', annotation ' + row[2] + ', with its outline';
  img.src = 'data:image/webp;base64,' + row[8];
  const head = make('p'), signals = make('p', undefined, 'signals');
  head.append(make('b', '#' + row[0] + ' ' + data.classes[row[4]]),
              ' confidence ' + row[5].toFixed(3));
  const name = row[3].length > 72 ? '…' + row[3].slice(-70) : row[3];
  const where = make('p', name, 'where soft');
  where.title = row[3];
  data.signals.forEach((name, i) => {
    if (row[6][i] !== null) signals.append(
      make('span', name + ' ' + row[6][i], i === row[7] ? 'low' : ''), ' ');
  });
  const ids = make('p', 'image ' + row[1] + ', annotation ' + row[2], 'where soft');
  text.append(head, where, ids, signals);
  node.append(img, text);
  return node;
}
function draw(anew) {
  const first = Math.max(0, Math.floor(list.scrollTop / height) - 4);
  const last = Math.min(shown.length,
    Math.ceil((list.scrollTop + list.clientHeight) / height) + 4);
  if (!anew && first === from && last === to) return;
  from = first; to = last;
  const end = make('div');
  end.style.height = shown.length * height + 'px';
  const lines = shown.slice(from, to).map((row, i) => line(row, from + i));
  list.replaceChildren(end, ...lines);
}
function measure() {
  height = parseFloat(getComputedStyle(list).getPropertyValue('--row'));
  draw(true);
}
function save() {
  const names = ['rank', 'image_id', 'annotation_id', 'file_name', 'class',
                 'confidence', ...data.signals];
  const cell = x => x === null ? '' : /[",\\n]/.test(x = String(x))
    ? '"' + x.replaceAll('"', '""') + '"' : x;
  const lines = shown.map(row => [...row.slice(0, 4), data.classes[row[4]], row[5],
                                  ...row[6]].map(cell).join(','));
  const file = new Blob([[names.join(','), ...lines].join('\\n') + '\\n']);
  const link = make('a');
  link.href = URL.createObjectURL(file); link.download = 'review_selection.csv';
  link.click();
  URL.revokeObjectURL(link.href);
}
let waiting = false;
list.addEventListener('scroll', () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(false); });
});
form.addEventListener('input', choose);
form.addEventListener('reset', () => setTimeout(choose));
form.addEventListener('submit', event => event.preventDefault());
get('save').addEventListener('click', save);
window.addEventListener('resize', measure);
measure(); choose();
})();
"""
