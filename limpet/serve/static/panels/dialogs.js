// Help and downloads, as real dialogs: the browser keeps the focus inside, and Escape closes them.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { KEYS } from "../core/keys.js";
import { exportAs } from "../core/session.js";
import { set, useStore } from "../core/store.js";
import { Icon, IconButton } from "./icons.js";

function Dialog({ title, children }) {
  const dialog = useRef(null);
  const close = () => set({ dialog: null });
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus?.();
  }, []);
  const outside = (event) => event.target === dialog.current && close();
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="dialog-title" onClose=${close} onClick=${outside}>
    <div class="dialog-body">
      <div class="panel-head">
        <h2 id="dialog-title">${title}</h2>
        <${IconButton} icon="close" label="Close" keyName="Esc" onClick=${close} />
      </div>
      ${children}
    </div>
  </dialog>`;
}

function Help() {
  const groups = [...new Set(KEYS.map((entry) => entry.group))];
  const [server] = useStore((s) => [s.server]);
  return html`<${Dialog} title="Keys">
    <div class="keys">
      ${groups.map(
        (group) => html`<section key=${group}>
        <h3>${group}</h3>
        <dl>${KEYS.filter((entry) => entry.group === group).map(
          (entry) => html`
          <div><dt><kbd>${entry.shown}</kbd></dt><dd>${entry.what}</dd></div>`,
        )}</dl>
      </section>`,
      )}
    </div>
    <p class="hint">
      Mouse: the wheel zooms, Shift and drag (or the middle button) pans, Shift and the wheel changes the brush. Drop a mask
      (an indexed PNG) on the frame to use it. Every change is saved at once, and Ctrl Z takes back any of them, a whole
      propagation too. Closing this tab loses nothing.
    </p>
    <p class="hint">limpet ${server.version}, model ${server.model}. ${server.segmenter.note}</p>
  <//>`;
}

const DOWNLOADS = [
  { what: "masks", label: "Masks", about: "one indexed PNG per frame, in a zip" },
  { what: "overlay", label: "Overlay", about: "the video with the objects drawn over it, mp4" },
  { what: "report", label: "Report", about: "sizes and confidence of each object, places to look at" },
];

function Choices({ choices }) {
  const begin = (what) => {
    set({ dialog: null });
    exportAs(what);
  };
  return html`<div class="downloads">
    ${choices.map((one) => {
      return html`<button type="button" class="download" key=${one.what} onClick=${() => begin(one.what)}>
        <${Icon} name="download" /><span><strong>${one.label}</strong><small>${one.about}</small></span>
      </button>`;
    })}
  </div>`;
}

function Downloads() {
  const [server, running] = useStore((s) => [s.server, s.running]);
  const others = server.exports ?? [];
  return html`<${Dialog} title="Download">
    ${running && html`<p class="hint">A propagation is running; what it has committed so far is exported.</p>`}
    <${Choices} choices=${DOWNLOADS} />
    ${others.length > 0 && html`<h3>For other programs</h3>`}
    <${Choices} choices=${others} />
  <//>`;
}

export function Dialogs() {
  const [dialog] = useStore((s) => [s.dialog]);
  return dialog === "help" ? html`<${Help} />` : dialog === "download" ? html`<${Downloads} />` : null;
}
