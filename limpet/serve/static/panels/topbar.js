// The bar at the top: whose project this is, undo and redo, whether everything is saved, downloads and help.

import { html } from "../vendor/preact-htm.js";
import { undo } from "../core/session.js";
import { set, useStore } from "../core/store.js";
import { Icon, IconButton } from "./icons.js";

function Saved() {
  const [saving, online] = useStore((s) => [s.saving, s.online]);
  if (!online) {
    const kept = saving ? ` ${saving} edit${saving > 1 ? "s are" : " is"} kept here and saved then.` : "";
    return html`<span class="saved away" role="status">Waiting for limpet to come back.${kept}</span>`;
  }
  return html`<span class="saved" role="status">${saving ? "Saving ..." : "Saved"}</span>`;
}

export function Topbar() {
  const [project, exporting] = useStore((s) => [s.project, s.exporting]);
  const done = exporting?.steps ? ` ${Math.round((100 * exporting.step) / exporting.steps)} %` : "";
  const { video, can_undo: back, can_redo: again } = project;
  const about = `${video.width} × ${video.height}, ${Math.round(video.fps * 100) / 100} frames/s`;
  return html`<header class="topbar">
    <span class="wordmark">limpet</span>
    <h1 class="project-name" title=${project.path}>${project.name}</h1>
    <span class="about">${about}</span>
    <span class="spacer"></span>
    <${Saved} />
    <div class="group" role="group" aria-label="History">
      <${IconButton} icon="undo" label=${back ? `Undo: ${back}` : "Nothing to undo"} keyName="Ctrl Z" disabled=${!back}
        onClick=${() => undo("/api/undo")} />
      <${IconButton} icon="redo" label=${again ? `Redo: ${again}` : "Nothing to redo"} keyName="Ctrl Shift Z"
        disabled=${!again} onClick=${() => undo("/api/redo")} />
    </div>
    <button type="button" class="button" onClick=${() => set({ dialog: "download" })}>
      <${Icon} name="download" /> ${exporting ? `Exporting${done}` : "Download"}
    </button>
    <${IconButton} icon="help" label="Keys and help" keyName="?" onClick=${() => set({ dialog: "help" })} />
  </header>`;
}

export function Problems() {
  const [project] = useStore((s) => [s.project]);
  if (!project.problems.length) return null;
  return html`<div class="problems" role="alert">
    ${project.read_only && html`<strong>Open for reading only.</strong> `}
    ${project.problems.join(" ")}
  </div>`;
}
