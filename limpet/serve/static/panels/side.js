// The rest of the right side: how masks are shown, where to look first, and what was done.

import { html } from "../vendor/preact-htm.js";
import { goTo } from "../core/session.js";
import { nameOfObject } from "../core/colors.js";
import { objectOf, toggleCompare } from "../core/orders.js";
import { set, useStore } from "../core/store.js";
import { IconButton } from "./icons.js";

export function Display() {
  const [opacity, outlines, hatching, safeColors, compare, earlier] = useStore((s) => [
    s.opacity,
    s.outlines,
    s.hatching,
    s.safeColors,
    s.compare,
    s.compareEarlier,
  ]);
  return html`<section class="panel" aria-labelledby="display-title">
    <div class="panel-head">
      <h2 id="display-title">Masks</h2>
      <span class="object-buttons shown">
        <${IconButton} icon="outline" label="Outlines" keyName="O" pressed=${outlines}
          onClick=${() => set({ outlines: !outlines })} />
        <${IconButton} icon="compare" label="Compare with the bare frame" keyName="V" pressed=${compare !== null && !earlier}
          onClick=${() => toggleCompare(false)} />
        <${IconButton} icon="earlier" label="Compare with the masks before the last edit" keyName="M"
          pressed=${compare !== null && earlier}
          onClick=${() => toggleCompare(true)} />
        <${IconButton} icon="hatch" label="Hatching" pressed=${hatching} onClick=${() => set({ hatching: !hatching })} />
        <${IconButton} icon="palette" label="Colours for colour blindness" pressed=${safeColors}
          onClick=${() => set({ safeColors: !safeColors, hatching: !safeColors })} />
      </span>
    </div>
    <label class="size">Opacity
      <input type="range" min="0" max="1" step="0.05" value=${opacity}
        aria-valuetext=${`${Math.round(opacity * 100)} percent`}
        onInput=${(event) => set({ opacity: Number(event.target.value) })} />
    </label>
  </section>`;
}

export function LookFirst() {
  const [timeline, frame] = useStore((s) => [s.timeline, s.frame]);
  const places = timeline?.look_first ?? [];
  if (!places.length) return null;
  return html`<section class="panel" aria-labelledby="look-title">
    <div class="panel-head"><h2 id="look-title">Look first</h2><kbd>J</kbd></div>
    <ul class="places">
      ${places.map(
        ([at, id, why]) => html`<li key=${`${at}:${id}`}>
        <button type="button" class="place" aria-current=${at === frame ? "true" : undefined}
          onClick=${() => goTo(at, true)}>
          <span class="place-frame">${at}</span><span>${nameOfObject(objectOf(id) ?? { id })}: ${why}</span>
        </button>
      </li>`,
      )}
    </ul>
  </section>`;
}

export function History() {
  const [project] = useStore((s) => [s.project]);
  if (!project.edits.length) return null;
  const edits = project.edits.slice(-30).reverse();
  return html`<details class="panel history">
    <summary><h2>History</h2><span class="count">${project.position}</span></summary>
    <ol reversed start=${project.edits.at(-1).number}>
      ${edits.map(
        (edit) => html`<li key=${edit.number} class=${edit.undone ? "undone" : ""}>
        <span class="edit-number">${edit.number}</span> ${edit.kind} ${edit.what}${edit.complete ? "" : " (stopped)"}
      </li>`,
      )}
    </ol>
  </details>`;
}
