// Edits on their way to the server: shown at once, sent one after the other, kept until they are answered.
//
// A stroke is one edit: the new mask of one object in one frame, and which pixels of it the person changed. Elsewhere the
// project keeps what it has, so that a stroke never takes back what another program did meanwhile. It is stored in this
// tab before it is sent, so that a reload, a server that was stopped or a lost connection costs nothing: it is sent when
// the server is back. Other commands (undo, lock, ...) go through the same line, so that they come after the strokes
// before them.

import { getJson, postJson, RequestError, onNewToken } from "./api.js";
import { note, noteError } from "./notes.js";
import { decodePng, encodePng, fromBase64, toBase64 } from "./png.js";
import { get, set } from "./store.js";
import { idsOf, nameOf } from "./masks.js";

const UNTOUCHED = 2; // beside 0 and 1 of a stored stroke
const RETRY = 1500; // ms between tries while the server is away
const OTHER_PROJECT = 412; // the server's answer to an edit of a project that is not the one that is open
let line = []; // not answered yet, in order
let answered = []; // strokes that the server has, whose masks are not read again yet
let busy = false;
let wake = null;
let afterEdit = async () => {};
onNewToken(() => wake?.());

/** Call `action(answer)` after each edit that the server has made; it reads the state again. */
export function onEdits(action) {
  afterEdit = action;
}

/** Try again at once, for example when the stream of events is back. */
export const retryEdits = () => wake?.();

/** Objects that were drawn and that the project does not list yet, beside those that it lists. */
export function allObjects() {
  const known = get().project?.objects ?? [];
  const ids = new Set(known.map((object) => object.id));
  const drawn = [...answered, ...line].map((edit) => edit.object);
  const fresh = new Set(drawn.filter((object) => object && !ids.has(object.id)));
  return [...known, ...[...fresh].map((object) => ({ ...object, key_frames: [] }))];
}

export function freeId() {
  const taken = new Set(allObjects().map((object) => object.id));
  for (let id = 1; id < 255; id++) if (!taken.has(id)) return id;
  throw new Error("A project has at most 254 objects.");
}

/** The record that edits of an object share: an object that is new learns its id from the server. */
export function recordOf(id, fresh = null) {
  const drawn = [...line, ...answered].find((edit) => edit.object?.id === id)?.object;
  return drawn ?? { id, isNew: Boolean(fresh), name: fresh?.name ?? "", color: fresh?.color ?? null };
}

/** Give the mask of an object in a frame: `plane` is 1 where it is, `touched` where that was changed; null: anywhere. */
export async function paint(frame, object, plane, touched = null) {
  const edit = { kind: "paint", frame, object, plane, touched, png: null };
  push(edit);
  await store();
}

/** Another command: POST `path`. Resolves with the answer, or null where it was refused (the person is told). */
export function command(path, body = {}) {
  return new Promise((resolve) => push({ kind: "command", path, body, resolve }));
}

function push(edit) {
  edit.project = get().project?.path;
  line.push(edit);
  set({ saving: line.length });
  drain();
}

/** The ids of a frame as the person sees it: the server's mask with the strokes on top that it does not have yet. */
const NOTHING = { base: null, key: "", ids: null, frame: -1, name: null };
let composed = NOTHING;
export function shownIds(frame) {
  const base = idsOf(frame);
  const strokes = [...answered, ...line].filter((edit) => edit.kind === "paint" && edit.frame === frame);
  if (base === undefined && composed.frame === frame) {
    // While the mask with this tab's own strokes is read, they are shown as they were, and can be drawn on. The mask
    // after that one is of somebody else.
    composed.name ??= nameOf(frame);
    return composed.name === nameOf(frame) ? composed.ids : undefined;
  }
  if (!strokes.length && composed.frame === frame) composed = NOTHING;
  if (!strokes.length || base === undefined) return base;
  const key = strokes.map((edit) => `${(edit.serial ??= ++serial)}:${edit.object.id}`).join() + frame;
  if (composed.base === base && composed.key === key) return composed.ids;
  const ids = base ? base.slice() : new Uint8Array(strokes[0].plane.length);
  for (const { plane, touched, object } of strokes) {
    for (let i = 0; i < ids.length; i++) {
      if (touched && !touched[i]) continue;
      if (plane[i]) ids[i] = object.id;
      else if (ids[i] === object.id) ids[i] = 0;
    }
  }
  composed = { base, key, ids, frame, name: null };
  return ids;
}
let serial = 0;

/** Strokes whose masks have been read again by now are no longer needed on top. */
export function settle(upTo) {
  answered = answered.filter((edit) => edit.answeredAt > upTo || nameOf(edit.frame) === undefined);
}

async function drain() {
  if (busy) return;
  busy = true;
  try {
    while (line.length) await sendFirst();
  } finally {
    busy = false;
  }
}

async function sendFirst() {
  const edit = line[0];
  try {
    if (edit.tried && (await arrivedBefore(edit))) return finish(edit, { message: "" });
    edit.before = get().project?.position;
    await store();
    const answer = edit.kind === "paint" ? await sendStroke(edit) : await post(edit, edit.path, edit.body);
    await finish(edit, answer);
  } catch (error) {
    if (!(error instanceof RequestError)) return refuse(edit, error);
    if (error.status === 0 || error.status === 401) {
      edit.tried = error.status === 0;
      if (error.status === 0) set({ online: false });
      await pause(RETRY);
    } else if (error.status === OTHER_PROJECT && edit.kind === "paint") {
      await afterEdit(null); // the page goes to the other project, and strokes for this one stay stored
      if (line[0] === edit) await pause(RETRY);
    } else if (error.status >= 500 && edit.kind === "paint") {
      note(`${error.message} Your stroke is kept here.`, "error", {
        label: "Try again",
        run: () => wake?.(),
      });
      await pause(60_000);
    } else {
      refuse(edit, error);
    }
  }
}

const post = (edit, path, body) => postJson(path, body, { project: edit.project });

async function sendStroke(edit) {
  const { frame, object, plane, touched } = edit;
  const { width, height } = get().project.video;
  if (object.isNew) {
    const mask = toBase64(await encodePng(plane, width, height));
    const answer = await post(edit, "/api/object/add", { frame, mask, name: object.name, color: object.color });
    if (get().active === object.id) set({ active: answer.id });
    object.id = answer.id;
    object.isNew = false;
    return answer;
  }
  const ids = plane.map((inside) => (inside ? object.id : 0));
  const mask = plane.includes(1) ? toBase64(await encodePng(ids, width, height)) : null;
  const changed = touched && toBase64(await encodePng(touched, width, height));
  return post(edit, "/api/correct", { frame, objects: [object.id], mask, changed });
}

/** After a lost answer: whether the server had made the edit nevertheless. */
async function arrivedBefore(edit) {
  const { project } = await getJson("/api/state");
  if (edit.kind !== "paint" || project?.path !== edit.project || project.position <= edit.before) return false;
  const last = project.can_redo ? null : project.edits.at(-1);
  const kind = edit.object.isNew ? "add" : "correct";
  if (last?.kind !== kind || !last.what.endsWith(`frame ${edit.frame}`)) return false;
  if (edit.object.isNew) {
    edit.object.id = Math.max(...project.objects.map((object) => object.id));
    edit.object.isNew = false;
  }
  return true;
}

async function finish(edit, answer) {
  line = line.filter((other) => other !== edit);
  if (edit.kind === "paint") answered.push(Object.assign(edit, { answeredAt: performance.now() }));
  else if (/undo|redo|remove/.test(edit.path)) forgetAnswered();
  set({ saving: line.length, online: true });
  await store();
  await afterEdit(answer);
  edit.resolve?.(answer);
}

/** What answered strokes show may be gone. */
function forgetAnswered() {
  answered = [];
  composed = NOTHING;
}

async function refuse(edit, error) {
  line = line.filter((other) => other !== edit && !(edit.object?.isNew && other.object === edit.object));
  set({ saving: line.length });
  noteError(error);
  await store();
  await afterEdit(null);
  edit.resolve?.(null);
}

function pause(time) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** Another project is open. What was not answered stays stored, and is sent when the project of before is open again. */
export function forgetEdits() {
  line = [];
  forgetAnswered();
  set({ saving: 0 });
}

/** Both planes of a stroke in one. */
const joined = ({ plane, touched }) =>
  touched ? plane.map((inside, i) => inside | (touched[i] ? 0 : UNTOUCHED)) : plane;

const storeKey = () => `limpet-strokes:${get().project?.path}`;

async function store() {
  const strokes = line.filter((edit) => edit.kind === "paint");
  if (!strokes.length) return sessionStorage.removeItem(storeKey());
  const { width, height } = get().project.video;
  for (const edit of strokes) edit.png ??= toBase64(await encodePng(joined(edit), width, height));
  const kept = strokes.map(({ frame, object, png, before }) => ({ frame, object, png, before }));
  if (!line.some((edit) => edit.kind === "paint")) return sessionStorage.removeItem(storeKey());
  try {
    sessionStorage.setItem(storeKey(), JSON.stringify(kept));
  } catch {
    note("The browser has no room to keep more strokes; keep this tab open until limpet is back.", "error");
  }
}

/** After a reload: strokes of this tab that were not answered. */
export async function restoreStrokes() {
  const kept = JSON.parse(sessionStorage.getItem(storeKey()) ?? "[]");
  const objects = new Map();
  for (const [rank, { frame, object, png, before }] of kept.entries()) {
    if (!objects.has(object.id)) objects.set(object.id, object);
    const { ids } = await decodePng(fromBase64(png));
    const [plane, touched] = [ids.map((value) => value & 1), ids.map((value) => (value & UNTOUCHED ? 0 : 1))];
    // Only the first one can have been under way; the others waited for it.
    const tried = rank === 0 && before !== undefined;
    push({ kind: "paint", frame, object: objects.get(object.id), plane, touched, png, tried, before });
  }
  if (kept.length)
    note(`${kept.length} stroke${kept.length > 1 ? "s" : ""} from before the reload are being saved.`);
}
