// The tools at the left, and below the stage what the one in hand does.

import { html } from "../vendor/preact-htm.js";
import { set, useStore } from "../core/store.js";
import { acceptProposal, discardProposal } from "../tools/proposal.js";
import { TOOLS, chooseTool, currentTool, toolNamed } from "../tools/tools.js";
import { Icon, IconButton } from "./icons.js";

export function Toolrail() {
  const [tool, server] = useStore((s) => [s.tool, s.server]);
  const why = (name) => (name === "click" && !server.segmenter.clicks ? server.segmenter.note : "");
  return html`<nav class="toolrail" aria-label="Tools">
    ${TOOLS.map(
      ({ name, label, key }) => html`
      <button
        type="button" class="tool-button" key=${name} aria-pressed=${tool === name} aria-label=${label}
        title=${`${label} (${key})${why(name) ? `: ${why(name)}` : ""}`} disabled=${Boolean(why(name))}
        onClick=${() => chooseTool(name)}
      ><${Icon} name=${name} /><kbd aria-hidden="true">${key}</kbd></button>`,
    )}
  </nav>`;
}

export function ToolOptions() {
  const [tool, brushSize, proposal, server] = useStore((s) => [s.tool, s.brushSize, s.proposal, s.server]);
  const { hint, label } = toolNamed(tool);
  if (proposal) {
    return html`<div class="tool-options" role="group" aria-label="Suggested mask">
      <span>Suggested mask${tool === "click" ? ": click again to improve it" : ""}</span>
      <button type="button" class="button primary" onClick=${acceptProposal}>Accept <kbd>Enter</kbd></button>
      <button type="button" class="button" onClick=${() => currentTool().cancel?.() || discardProposal()}>
        Discard <kbd>Esc</kbd>
      </button>
    </div>`;
  }
  const words = tool === "click" ? `${hint} ${server.segmenter.note}` : hint;
  const sized = tool === "brush" || tool === "eraser";
  return html`<div class="tool-options">
    <strong>${label}</strong>
    ${
      sized &&
      html`<label class="size">Size
      <input
        type="range" min="0" max="100" aria-valuetext=${`${Math.round(2 * brushSize)} pixels`}
        value=${Math.round((Math.log(brushSize / 0.5) / Math.log(400)) * 100)}
        onInput=${(event) => set({ brushSize: 0.5 * 400 ** (event.target.value / 100) })}
      />
      <output>${Math.max(1, Math.round(2 * brushSize))} px</output>
    </label>`
    }
    <span class="hint" title=${words}>${words}</span>
  </div>`;
}
