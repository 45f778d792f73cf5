// The page of `limpet serve`: what stands where. Everything else is in the folders beside this file:
// core (state, server, masks, keys), stage (the picture), tools (what draws), panels (what surrounds it).

import { html, render } from "./vendor/preact-htm.js";
import { listen } from "./core/keys.js";
import { start } from "./core/session.js";
import { useStore } from "./core/store.js";
import { Dialogs } from "./panels/dialogs.js";
import { Objects } from "./panels/objects.js";
import { Propagation } from "./panels/propagation.js";
import { Display, History, LookFirst } from "./panels/side.js";
import { Start, Unknown } from "./panels/start.js";
import { Timeline } from "./panels/timeline.js";
import { Toasts } from "./panels/toasts.js";
import { ToolOptions, Toolrail } from "./panels/toolrail.js";
import { Problems, Topbar } from "./panels/topbar.js";
import { Transport } from "./panels/transport.js";
import { Stage } from "./stage/stage.js";

function App() {
  const [server, project, authorised] = useStore((s) => [s.server, s.project, s.authorised]);
  if (!authorised) return html`<${Unknown} /><${Toasts} />`;
  if (!server) return html`<main class="start"><p class="loading" role="status">Opening ...</p></main>`;
  if (!project) return html`<${Start} /><${Toasts} />`;
  return html`
    <div class="app">
      <${Topbar} />
      <${Problems} />
      <div class="middle">
        <${Toolrail} />
        <main class="work" aria-label="Frame">
          <${ToolOptions} />
          <${Stage} key=${project.path} />
          <${Transport} />
          <${Toasts} />
        </main>
        <aside class="side" aria-label="Objects and propagation">
          <${Objects} />
          <${Propagation} />
          <${Display} />
          <${LookFirst} />
          <${History} />
        </aside>
      </div>
      <${Timeline} />
      <${Dialogs} />
    </div>
  `;
}

render(html`<${App} />`, document.getElementById("app"));
listen();
start();
