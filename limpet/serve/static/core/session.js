// The page and the server in step: the state is read when something has changed, and commands are given.

import { getJson, postJson, request } from "./api.js";
import { allObjects, command, forgetEdits, onEdits, restoreStrokes, retryEdits, settle } from "./edits.js";
import { follow } from "./events.js";
import { forgetMasks, lookAtMask, readIndex } from "./masks.js";
import { announce, note, noteError } from "./notes.js";
import { forgetPictures, lookAt } from "./pictures.js";
import { FRESH, get, set } from "./store.js";

let stateAsked = 0;

/** Read the state of the project. Answers that arrive out of order are left out. */
export async function readState() {
  const number = ++stateAsked;
  const { project, ...server } = await getJson("/api/state");
  if (number !== stateAsked) return;
  const other = project?.path !== get().project?.path;
  set({
    server,
    project,
    running: project?.running ?? server.running ?? null,
    revision: project?.revision ?? -1,
  });
  if (other) await opened();
  const ids = allObjects().map((object) => object.id);
  if (get().active !== "new" && !ids.includes(get().active)) set({ active: ids[0] ?? "new" });
}

async function opened() {
  forgetEdits();
  forgetMasks();
  forgetPictures();
  const { project } = get();
  if (!project) return set(FRESH);
  const brushSize = Math.max(3, Math.round(project.video.height / 30));
  set({ ...FRESH, brushSize, active: project.objects[0]?.id ?? "new" });
  document.title = `${project.name} - limpet`;
  lookAt(0);
  lookAtMask(0);
  await Promise.all([readTimeline(), restoreStrokes()]);
}

async function readTimeline() {
  const timeline = await getJson(`/api/timeline?from=0&to=${get().project.video.frames ?? 1_000_000}`);
  set({ timeline });
}

/** Read masks and timeline again; calls in quick succession become one. */
let again = null;
export function readMasks() {
  again ??= refresh().finally(() => (again = null));
  return again;
}

let dirty = false;
async function refresh() {
  do {
    dirty = false;
    const started = performance.now();
    await Promise.all([readIndex(), readTimeline()]);
    settle(started);
  } while (dirty);
}

function changed() {
  dirty = true;
  if (get().project) readMasks().catch(noteRead);
}

/** Reading that failed is not worth a note where the page says so already, or is told in a moment what to read. */
function noteRead(error) {
  const passing = error.status === 0 || error.status === 401 || error.status === 409;
  if (!passing) noteError(error);
}

/** Go to a frame; everything else follows. `spoken`: a person asked for it, and hears where they are. */
export function goTo(frame, spoken = false) {
  const last = lastFrame();
  const wanted = Math.max(0, Math.min(last, Math.round(frame)));
  if (spoken && get().follow) set({ follow: false }); // the person goes somewhere of their own
  if (!get().project || wanted === get().frame) return;
  set({ frame: wanted });
  lookAt(wanted);
  lookAtMask(wanted);
  if (spoken) announce(`frame ${wanted}`);
}

export const lastFrame = () => Math.max(0, (get().timeline?.frames ?? get().project?.video.frames ?? 1) - 1);

export function start() {
  onEdits(async (answer) => {
    await readState();
    changed();
    if (answer?.message) announce(answer.message);
  });
  follow({
    open: () => {
      retryEdits();
      readState().then(changed).catch(noteRead);
    },
    change: ({ revision }) => {
      if (revision !== get().revision) readState().then(changed).catch(noteRead);
    },
    progress: (running) => {
      if (isExport(running)) return mine.has(running.id) && set({ exporting: running });
      set({ running });
      if (get().follow && running.frame != null) goTo(running.frame);
    },
    done: ({ id, outcome, message }) => {
      if (id !== get().running?.id && !mine.has(id)) return readState().catch(noteRead); // an export of another tab
      if (message) note(message, outcome === "failed" ? "error" : "done");
      if (mine.delete(id)) {
        set({ exporting: null });
        return outcome === "finished" && download(id);
      }
      set({ running: null, follow: false });
      readState().then(changed).catch(noteRead);
    },
    notice: ({ text }) => note(text),
  });
}

/** Propagate; `mode` and the rest as the server takes them. The answer comes at once, the masks as they are done. */
export async function propagate(order) {
  if (get().running) return note("A propagation is running. Cancel it first; what it has done is kept.");
  set({ follow: true });
  const answer = await command("/api/propagate", get().model ? { ...order, model: get().model } : order);
  if (!answer) set({ follow: false });
}

export const cancel = () => postJson("/api/cancel").catch(noteError);

export async function undo(path) {
  const answer = await command(path);
  if (!answer) return;
  note(answer.message || `${path === "/api/undo" ? "Undone" : "Done again"}: ${answer.edit}`);
  const { frame } = get();
  if (answer.frames && (frame < answer.frames[0] || frame > answer.frames[1])) goTo(answer.frames[0], true);
}

const mine = new Set(); // ids of exports that this tab has asked for
const isExport = ({ what }) => String(what).startsWith("export");

export async function exportAs(what) {
  try {
    mine.add((await postJson("/api/export", { what })).id);
    note("The export has begun. The download starts when it is done.");
  } catch (error) {
    noteError(error);
  }
}

/** Save a finished export. It is fetched, because a plain link could not send the token. */
async function download(id) {
  try {
    const response = await request(`/api/download/${id}`);
    const named = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = named?.[1] ?? "limpet-export";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    noteError(error);
  }
}

export async function open(path, folder) {
  try {
    await postJson("/api/open", folder ? { path, project: folder } : { path });
    await readState();
  } catch (error) {
    noteError(error);
  }
}

export async function upload(file) {
  const form = new FormData();
  form.append("file", file, file.name);
  try {
    note(`${file.name} is being copied to the server.`);
    await request("/api/upload", { method: "POST", body: form });
    await readState();
  } catch (error) {
    noteError(error);
  }
}
