// Propagation: the orders, the progress of the one that runs, and its end.

import { html } from "../vendor/preact-htm.js";
import { propagateRange } from "../core/keys.js";
import { accepted, toggleLock } from "../core/orders.js";
import { cancel, propagate } from "../core/session.js";
import { get, set, useStore } from "../core/store.js";
import { Icon } from "./icons.js";

function Order({ icon, label, keyName, run, kind = "", title }) {
  return html`<button type="button" class="button wide ${kind}" title=${title} onClick=${run}>
    <${Icon} name=${icon} /><span>${label}</span><kbd>${keyName}</kbd>
  </button>`;
}

function Running({ running, follow }) {
  const { step, steps, seconds, what } = running;
  const share = steps ? Math.min(1, step / steps) : null;
  const left = share && share > 0.02 ? Math.max(1, Math.round((seconds / share) * (1 - share))) : null;
  const words = !step ? "Getting ready ..." : steps ? `${step} of ${steps}` : `${step} steps`;
  return html`<div class="running">
    <div class="running-what">${what}</div>
    <progress max="1" value=${share ?? undefined} aria-label="Progress"></progress>
    <div class="running-foot">
      <span>${words}${left ? `, ${left} s left` : ""}</span>
      <label class="check"><input type="checkbox" checked=${follow}
        onChange=${(event) => set({ follow: event.target.checked })} /> follow</label>
    </div>
    <button type="button" class="button wide" onClick=${cancel} title="Cancel; what is done stays, as one edit">
      <${Icon} name="close" /><span>Cancel</span><kbd>Shift Esc</kbd>
    </button>
  </div>`;
}

export function Propagation() {
  const [running, follow, project, range, frame, server, model] = useStore((s) => [
    s.running,
    s.follow,
    s.project,
    s.range,
    s.frame,
    s.server,
    s.model,
  ]);
  const start = () => get().frame;
  const locked = project.locked.some(([first, last]) => frame >= first && frame <= last);
  const marked = range ? `Range ${range[0]} to ${range[1]}` : "Range";
  return html`<section class="panel" aria-labelledby="propagation-title">
    <div class="panel-head">
      <h2 id="propagation-title">Propagate</h2>
      <select class="model" aria-label="Model" title="The model that propagates" value=${model ?? server.model}
        onChange=${(event) => set({ model: event.target.value })}>
        ${server.models.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
    </div>
    ${
      running
        ? html`<${Running} running=${running} follow=${follow} />`
        : html`<div class="orders">
          <${Order} icon="forwards" label="All that is empty or stale" keyName="A" kind="primary"
            title="Between key frames from both sides, forwards after the last one"
            run=${() => propagate({ mode: "all" })} />
          <div class="pair">
            <${Order} icon="backwards" label="Back" keyName="B" title="From this key frame backwards"
              run=${() => propagate({ mode: "backwards", start: start() })} />
            <${Order} icon="forwards" label="On" keyName="F" title="From this key frame forwards"
              run=${() => propagate({ mode: "forwards", start: start() })} />
          </div>
          <${Order} icon="between" label=${marked} keyName="T" run=${propagateRange}
            title="Between the ends of the range that [ and ] mark, or from the end that is a key frame" />
        </div>`
    }
    <div class="pair">
      <${Order} icon="check" label="Correct" keyName="C" title="The masks of this frame are correct: make it a key frame"
        run=${accepted} />
      ${
        locked
          ? html`<${Order} icon="unlock" label="Unlock" keyName="U" title="Allow changes again"
            run=${() => toggleLock(false)} />`
          : html`<${Order} icon="lock" label="Lock" keyName="L" run=${() => toggleLock(true)}
            title="Nothing changes this frame (or the marked range) until it is unlocked" />`
      }
    </div>
  </section>`;
}
