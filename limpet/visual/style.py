"""The style sheet of ``report.html``: plain CSS, light and dark by the reader's own setting."""

STYLE = """
:root { color-scheme: light dark; --page: #f7f7f5; --card: #ffffff; --ink: #1c1e21; --soft: #62676e;
  --rule: #e2e3e0; --lost: #c4392b; --good: #1f7a4d; --warn: #9a5b00; --accent: #0b6e75 }
@media (prefers-color-scheme: dark) { :root { --page: #131517; --card: #1c1f22; --ink: #eceef0;
  --soft: #a0a7ae;
  --rule: #32373c; --lost: #ff7a6b; --good: #5cc490; --warn: #e8ac4b; --accent: #58c4cc } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.05rem; margin: 36px 0 12px }
.badge { display: inline-block; margin: 10px 0 0; padding: 2px 10px; border-radius: 99px; font-size: .85rem;
  font-weight: 600; border: 1.5px solid currentColor }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--lost) }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px 24px;
  margin: 22px 0 0;
  padding: 18px 20px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px }
dt { color: var(--soft); font-size: .8rem } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(210px, 46%), 1fr)); gap: 12px }
figure { margin: 0 } figure img { display: block; width: 100%; border-radius: 8px }
figcaption { color: var(--soft); font-size: .8rem; margin-top: 4px }
.object { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 18px 10px;
  margin-bottom: 12px }
.object header { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: baseline }
.object h3 { margin: 0; font-size: 1rem } .object header span { color: var(--soft); font-size: .85rem }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 3px; background: var(--object);
  margin-right: 7px; outline: 1px solid rgb(128 128 128 / .5) }
.timeline { display: block; width: 100%; height: 110px; margin-top: 10px;
  border-bottom: 1px solid var(--rule) }
.timeline .area { fill: var(--object); fill-opacity: .4 }
.timeline .confidence { fill: none; stroke: var(--ink); stroke-width: 1.8;
  vector-effect: non-scaling-stroke;
  stroke-linejoin: round }
.timeline .lost, .key .lost { fill: var(--lost); fill-opacity: .28 }
.timeline .unsure, .key .unsure { fill: var(--warn); fill-opacity: .22 }
.timeline .absent { fill: var(--soft); fill-opacity: .12 }
.timeline .grid { stroke: var(--soft); stroke-opacity: .6; stroke-dasharray: 3 5;
  vector-effect: non-scaling-stroke }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .78rem;
  margin-top: 3px }
.look { margin: 0; padding: 12px 18px 12px 38px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 12px }
.look .why { color: var(--soft) }
.events { margin: 8px 0 2px; padding: 0; list-style: none; font-size: .88rem }
.key { color: var(--soft); font-size: .82rem; margin: 0 0 12px; display: flex; flex-wrap: wrap;
  gap: 4px 20px }
.key svg { width: 26px; height: 12px; vertical-align: -1px; margin-right: 6px }
.notes li { overflow-wrap: anywhere } footer { color: var(--soft); font-size: .8rem; margin-top: 36px }
"""
