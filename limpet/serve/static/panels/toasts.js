// Notes in the corner; errors are spoken at once, the others when there is a pause.

import { html } from "../vendor/preact-htm.js";
import { dismiss } from "../core/notes.js";
import { useStore } from "../core/store.js";
import { IconButton } from "./icons.js";

export function Toasts() {
  const [toasts, announcement] = useStore((s) => [s.toasts, s.announcement]);
  return html`<div class="toasts">
    ${toasts.map(
      ({ id, text, kind, action }) => html`
      <div class="toast ${kind}" key=${id} role=${kind === "error" ? "alert" : "status"}>
        <span class="toast-text">${text}</span>
        ${
          action &&
          html`<button type="button" class="button small" onClick=${() => {
            dismiss(id);
            action.run();
          }}>${action.label}</button>`
        }
        <${IconButton} icon="close" label="Close this note" onClick=${() => dismiss(id)} />
      </div>`,
    )}
    <div class="visually-hidden" aria-live="polite">${announcement}</div>
  </div>`;
}
