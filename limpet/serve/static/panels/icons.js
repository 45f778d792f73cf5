// Line icons on a grid of 20 x 20, drawn for this page.

import { html } from "../vendor/preact-htm.js";

const PATHS = {
  brush:
    "M16.5 3.5 9 11m-2.2 1.2c1.6-.2 2.6.8 2.4 2.4C9 16.4 6.8 17 3.5 16.500c1-.8 1-1.4 1.2-2.3.3-1.2 1-1.9 2.1-2z",
  eraser: "M8 16.500h8.500M4 12.2 11.7 4.500l4.3 4.3-7.7 7.700H6.500L4 14z M8.3 8l4.2 4.3",
  polygon: "M4 7.5 10.5 3.5 16.5 8 14 16H6z",
  livewire: "M3.5 15.500c2-6 3.5-1.5 5.5-5s1-5.5 7.5-6 M3.5 15.500h.01 M9 10.500h.01 M16.5 4.500h.01",
  fill: "M8.5 3.5 15.5 10.5 9 16 3.5 10.500z M5 9h9 M16.5 13.200c.8 1.2 1 1.7 1 2.200a1 1 0 0 1-2 0c0-.5.2-1 1-2.200z",
  box: "M3.5 6V3.500H6 M14 3.500h2.500V6 M16.5 14v2.500H14 M6 16.500H3.500V14 M8 3.500h1 M11 3.500h1 M8 16.500h1 M11 16.500h1 M3.5 8v1 M3.5 11v1 M16.5 8v1 M16.5 11v1",
  click: "M8.5 8.5 16.5 11.5 13 13 11.5 16.500z M7 3v2 M3 7h2 M4 4l1.4 1.4 M10 4 8.6 5.4 M4 10l1.4-1.4",
  eye: "M2.5 10S5 4.8 10 4.8 17.5 10 17.5 10 15 15.2 10 15.2 2.5 10 2.5 10z M10 12.300a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.600z",
  eyeOff: "M3 10s2.5-5.2 7-5.200c1.2 0 2.3.4 3.2.9 M17 10s-2.5 5.2-7 5.200c-1.2 0-2.3-.4-3.2-.9 M4 16 16 4",
  solo: "M10 6.500a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z M10 2v1.5 M10 16.500V18 M2 10h1.5 M16.5 10H18",
  lock: "M5.5 9h9v7.500h-9z M7.2 9V6.500a2.8 2.8 0 0 1 5.6 0V9",
  unlock: "M5.5 9h9v7.500h-9z M7.2 9V6.500a2.8 2.8 0 0 1 5.4-1",
  trash: "M4 5.500h12 M8 5.500V3.800h4v1.7 M5.5 5.500l.7 11h7.600l.7-11 M8.5 8.500v5 M11.5 8.500v5",
  plus: "M10 4v12 M4 10h12",
  undo: "M7.5 4 4 7.5 7.5 11 M4 7.500h7.500a4.3 4.3 0 0 1 0 8.600H8",
  redo: "M12.5 4 16 7.5 12.5 11 M16 7.500H8.500a4.3 4.3 0 0 0 0 8.600H12",
  first: "M5 4.500v11 M15 5v10l-7.5-5z",
  back: "M13 4.5 7 10l6 5.5",
  play: "M6.5 4.200v11.600L15.5 10z",
  pause: "M7 4.500v11 M13 4.500v11",
  on: "M7 4.5 13 10l-6 5.5",
  last: "M15 4.500v11 M5 5v10l7.5-5z",
  download: "M10 3.500v9 M6.3 9 10 12.7 13.7 9 M4 16.500h12",
  help: "M7.5 7.600a2.6 2.6 0 1 1 3.7 2.300c-.8.4-1.2.9-1.2 1.8 M10 14.600h.01",
  forwards: "M3.5 10h12 M11 5.5 15.5 10 11 14.5",
  backwards: "M16.5 10h-12 M9 5.5 4.5 10 9 14.5",
  between: "M3.5 4v12 M16.5 4v12 M6 10h8 M8.5 7.5 6 10l2.5 2.5 M11.5 7.5 14 10l-2.5 2.5",
  close: "M5 5l10 10 M15 5 5 15",
  target: "M10 4v12 M4 10h12 M10 6a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  check: "M4 10.5 8.2 14.7 16 6",
  compare: "M10 3v14 M3.5 5.500h4 M3.5 5.500v9h4 M12.5 5.500h4v9h-4",
  earlier: "M10 3v14 M7.5 7 4.5 10l3 3 M4.5 10H8 M12.5 5.500h4v9h-4",
  hatch: "M3.5 3.500h13v13h-13z M3.5 10 10 3.5 M3.5 16.500l13-13 M10 16.500l6.5-6.5",
  palette:
    "M10 3.5a6.5 6.5 0 1 0 0 13c1.3 0 1.6-.9 1.2-1.8-.5-1.2.2-2.2 1.5-2.200h1.600c1.3 0 2.2-.9 2.2-2.5 0-3.7-3-6.5-6.5-6.500z M6.8 10.500h.01 M8 7h.01 M12 6.700h.01",
  outline: "M10 3.500c4 0 6.5 2.5 6.5 6s-2 7-6.5 7-6.5-2.5-6.5-6.5 3-6.5 6.5-6.500z",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

/** A button with an icon alone: its label is spoken, and shown with the key when the pointer rests on it. */
export function IconButton({ icon, label, keyName = "", pressed, onClick, disabled = false, kind = "" }) {
  const title = keyName ? `${label} (${keyName})` : label;
  return html`<button
    type="button" class="icon-button ${kind}" title=${title} aria-label=${label} aria-pressed=${pressed}
    disabled=${disabled} onClick=${onClick}
  ><${Icon} name=${icon} /></button>`;
}
