"""Style and script of the HTML pages: light and dark, phone to desktop."""

# Text on its ground has a contrast of at least 4.5 (WCAG 2.1, AA) in both schemes.
_LIGHT = (
    '--paper:#fff;--ink:#1b2126;--soft:#555f69;--panel:#f3f5f7;--line:#d3d9de;'
    '--link:#0a58a8;--note:#fdf1d3'
)
_DARK = (
    '--paper:#14171a;--ink:#e8ebee;--soft:#a9b2bb;--panel:#1f2429;--line:#3b434b;'
    '--link:#7db9ff;--note:#3b3012'
)
STYLE = (
    f':root{{color-scheme:light dark;{_LIGHT}}}\n'
    f'@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}\n'
    """*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:break-word;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:70rem;margin:auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.8rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .75rem;padding-bottom:.25rem;
border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;line-height:1.3;margin:1.75rem 0 .5rem}
p,ul{margin:.5rem 0;max-width:48rem}
a{color:var(--link)}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;list-style:none;
max-width:none}
.soft,figcaption,caption{color:var(--soft)}
.lead{font-size:1.2rem;line-height:1.4;margin:1rem 0}
.note{background:var(--note);border-radius:6px;padding:.6rem .9rem;max-width:none}
ul.note{padding-left:2rem}
.box{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
caption{text-align:left;padding:.25rem 0}
th,td{padding:.35rem .75rem;text-align:left;vertical-align:top;min-width:3.5rem;
border-bottom:1px solid var(--line);overflow-wrap:break-word;max-width:34rem}
th{background:var(--panel);font-weight:600}
.number{text-align:right;white-space:nowrap}
th.number{white-space:normal;min-width:6rem}
.short{white-space:nowrap}
.long{min-width:22rem}
th button{all:unset;cursor:pointer}
th button:focus-visible{outline:2px solid var(--link)}
th[aria-sort] button::after{content:" \\2193"}
th[aria-sort=ascending] button::after{content:" \\2191"}
pre{background:var(--panel);border-radius:6px;padding:.6rem .9rem;margin:.5rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;font-size:.84rem;line-height:1.45}
pre span{display:block;min-height:1.45em;padding-left:1.5rem;text-indent:-1.5rem}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
figure{margin:.75rem 0;break-inside:avoid}
img{display:block;max-width:100%;height:auto;border-radius:4px}
figcaption{font-size:.92rem;margin-top:.25rem}
"""
)
# Tables of class "sortable": the header cells become buttons. Without scripts they
# stay as they are.
SORT = """for (const table of document.querySelectorAll('table.sortable'))
  table.querySelectorAll('thead th').forEach((head, column) => {
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const one of head.parentNode.children) one.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const body = table.tBodies[0];
      const rows = [...body.rows].map(row => {
        const text = row.cells[column].textContent.trim();
        return [row, text, parseFloat(text)];
      });
      rows.sort(([, a, x], [, b, y]) => {
        if (isNaN(x) || isNaN(y)) {
          if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
          return (down ? -1 : 1) * a.localeCompare(b);
        }
        return down ? y - x : x - y;
      });
      body.append(...rows.map(([row]) => row));
    });
  });
"""
