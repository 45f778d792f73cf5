// A stroke in progress: the ids of one frame, changed in place until the stroke ends and becomes an edit.

import { freeId, paint, recordOf, shownIds } from "../core/edits.js";
import { note } from "../core/notes.js";
import { brushMap, planeOf } from "../core/raster.js";
import { get, set } from "../core/store.js";

const PATIENCE = 5000; // ms for the masks of a frame to be read

/** The ids that are being changed, or null, and what they were before. */
export const drawing = { frame: -1, ids: null, object: null, before: null };

export const videoSize = () => [get().project.video.width, get().project.video.height];

/** The object that tools draw. A new one gets the next free id; it exists once something is drawn. */
function activeObject() {
  const { active, newObject } = get();
  return active === "new" ? recordOf(freeId(), newObject) : recordOf(active);
}

/** Whether the shown frame may be changed; says why not. */
export function mayDraw() {
  const { project, frame, active, hidden, solo } = get();
  if (!project) return false;
  if (project.read_only)
    return refuse("This project is open for reading only; the messages at the top say why.");
  if (project.locked.some(([first, last]) => frame >= first && frame <= last)) {
    return refuse(`Frame ${frame} is locked. Press U to unlock it, then draw.`);
  }
  if (shownIds(frame) === undefined)
    return refuse("The masks of this frame are still being read. Try again at once.");
  if (active !== "new" && (hidden[active] || (solo !== null && solo !== active))) {
    set({ hidden: { ...hidden, [active]: false }, solo: solo === null ? null : active });
  }
  return true;
}

function refuse(text) {
  note(text);
  return false;
}

let waiting = null; // what the pointer did while the masks of the frame were being read

/** Do what the pointer asks for: at once, or in its turn when the masks are here. `begins`: it is a press. */
export function handOver(act, begins = false) {
  if (waiting) waiting.push(act);
  else if (begins && get().project && shownIds(get().frame) === undefined) doOnceRead([act]);
  else act();
}

async function doOnceRead(acts) {
  const { frame } = get();
  const until = performance.now() + PATIENCE;
  waiting = acts;
  while (shownIds(frame) === undefined && get().frame === frame && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 15));
  waiting = null;
  if (get().frame !== frame) return note("Nothing was drawn: the frame was left before its masks were read.");
  for (const act of acts) act(); // where the masks could not be read, this says so
}

/** Begin to change the shown frame. Returns {ids, object, map}; the map is that of a brush for the object. */
export function beginDrawing() {
  if (!mayDraw()) return null;
  const { frame, protect } = get();
  const [width, height] = videoSize();
  const object = activeObject();
  set({ follow: false, playing: false });
  const before = shownIds(frame) ?? new Uint8Array(width * height);
  const ids = before.slice();
  Object.assign(drawing, { frame, ids, object, before });
  return { ids, object, map: brushMap(object.id, { ...protect, [object.id]: false }) };
}

/** The stroke is done: one edit, if it has changed anything. */
export function endDrawing() {
  const { frame, ids, object, before } = drawing;
  if (!ids) return;
  const plane = planeOf(ids, object.id);
  const touched = plane.map((inside, i) => ((before[i] === object.id) === (inside === 1) ? 0 : 1));
  cancelDrawing();
  if (!touched.includes(1)) return;
  if (get().active === "new") set({ active: object.id, newObject: { name: "", color: null } });
  paint(frame, object, plane, touched);
}

export function cancelDrawing() {
  Object.assign(drawing, { frame: -1, ids: null, object: null, before: null });
}
