// Before a video is open, and when the server does not know this tab.

import { html, useState } from "../vendor/preact-htm.js";
import { useToken } from "../core/api.js";
import { open, upload } from "../core/session.js";
import { useStore } from "../core/store.js";

export function Start() {
  const [path, type] = useState("");
  const [over, hover] = useState(false);
  const [busy, work] = useState(false);
  const run = async (action) => {
    work(true);
    await action();
    work(false);
  };
  const submit = (event) => {
    event.preventDefault();
    if (path.trim()) run(() => open(path.trim()));
  };
  const drop = (event) => {
    event.preventDefault();
    hover(false);
    const [file] = event.dataTransfer.files;
    if (file) run(() => upload(file));
  };
  return html`<main class="start">
    <div class="start-card">
      <div class="wordmark large">limpet</div>
      <h1>Open a video</h1>
      <p>Point at things, follow them through the video, put right what went wrong. Everything stays on this machine.</p>
      <form onSubmit=${submit}>
        <label for="path">Path of a video, or of a project folder</label>
        <div class="row">
          <input id="path" value=${path} onInput=${(event) => type(event.target.value)} placeholder="clip.mp4"
            autocomplete="off" spellcheck=${false} />
          <button class="button primary" disabled=${busy || !path.trim()}>${busy ? "Opening ..." : "Open"}</button>
        </div>
      </form>
      <label class="dropzone ${over ? "over" : ""}" onDragOver=${(event) => {
        event.preventDefault();
        hover(true);
      }} onDragLeave=${() => hover(false)} onDrop=${drop}>
        <input type="file" class="visually-hidden" accept="video/*"
          onChange=${(event) => event.target.files[0] && run(() => upload(event.target.files[0]))} />
        or drop a video here, or choose a file to copy it to the server
      </label>
    </div>
  </main>`;
}

/** The token is missing or is that of a server that was stopped. */
export function Unknown() {
  const [saving] = useStore((s) => [s.saving]);
  const [link, type] = useState("");
  const submit = (event) => {
    event.preventDefault();
    const token = /token=([^&\s]+)/.exec(link)?.[1] ?? link.trim();
    if (token) useToken(token);
  };
  return html`<main class="start">
    <div class="start-card">
      <div class="wordmark large">limpet</div>
      <h1>This tab needs the link again</h1>
      <p>limpet was started again and has another key. Open the link that it printed in the terminal, or paste it here.
        ${saving > 0 && ` Your edits are kept in this tab (${saving}) and saved then.`}</p>
      <form onSubmit=${submit}>
        <label for="link">Link</label>
        <div class="row">
          <input id="link" value=${link} onInput=${(event) => type(event.target.value)} autocomplete="off" />
          <button class="button primary" disabled=${!link.trim()}>Go on</button>
        </div>
      </form>
    </div>
  </main>`;
}
