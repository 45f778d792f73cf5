// What a person can order about objects and frames; each is one edit, which undo takes back.

import { allObjects, command, paint, recordOf, shownIds } from "./edits.js";
import { nameOfObject } from "./colors.js";
import { readIndex } from "./masks.js";
import { note, noteError } from "./notes.js";
import { get, set } from "./store.js";

export const objectOf = (id) => allObjects().find((object) => object.id === id);

/** Lock or unlock the range that is marked around the shown frame, or the shown frame alone. */
export async function toggleLock(locks) {
  const { frame, range } = get();
  const inRange = range && frame >= range[0] && frame <= range[1];
  const [first, last] = inRange ? range : [frame, frame];
  const answer = await command(locks ? "/api/lock" : "/api/unlock", { first, last });
  if (answer)
    note(
      `${first === last ? `Frame ${first} is` : `Frames ${first} to ${last} are`} ${locks ? "locked" : "unlocked"}.`,
    );
}

/** Accept the masks of the shown frame as they are: it becomes a key frame of all its objects. */
export async function accepted() {
  const { frame, project } = get();
  const ids = shownIds(frame);
  if (!ids || !project.objects.length)
    return note("This frame has no masks to accept. Draw them, or propagate first.");
  const { encodePng, toBase64 } = await import("./png.js");
  const mask = ids.some((id) => id)
    ? toBase64(await encodePng(ids, project.video.width, project.video.height))
    : null;
  const objects = project.objects.map((object) => object.id);
  if (await command("/api/correct", { frame, objects, mask })) note(`Frame ${frame} is a key frame now.`);
}

/** The object in hand is not visible in the shown frame. */
export async function notVisible() {
  const { frame, active, project } = get();
  const object = objectOf(active);
  if (!object) return note("Choose an object first.");
  await paint(frame, recordOf(active), new Uint8Array(project.video.width * project.video.height));
  note(`${nameOfObject(object)} is not visible in frame ${frame}.`);
}

/** Compare with the bare frame, or with the masks from before the last edit; the same again: no comparison. */
export function toggleCompare(earlier) {
  const { compare, compareEarlier, project } = get();
  if (earlier && !project.position) return note("There is no edit to compare with yet.");
  const stops = compare !== null && compareEarlier === earlier;
  set({ compare: stops ? null : (compare ?? 0.5), compareEarlier: earlier && !stops });
  if (earlier && !stops) readIndex().catch(noteError);
}

export function toggleHidden(id) {
  if (id !== "new") set({ hidden: { ...get().hidden, [id]: !get().hidden[id] } });
}

export const toggleSolo = (id) => id !== "new" && set({ solo: get().solo === id ? null : id });

/** Tools leave the pixels of a protected object alone. */
export const toggleProtect = (id) => set({ protect: { ...get().protect, [id]: !get().protect[id] } });

export async function removeObject(id) {
  const object = objectOf(id);
  if (!object) return;
  const shownLocked = get().project.locked.length > 0;
  const answer = await command("/api/object/remove", { id, include_locked: false });
  if (answer) return note(`${nameOfObject(object)} is removed from all frames.`, "info", undoAction());
  if (shownLocked) {
    const run = () => command("/api/object/remove", { id, include_locked: true });
    note("Locked frames show this object.", "error", { label: "Remove it from them too", run });
  }
}

const undoAction = () => ({ label: "Undo", run: () => command("/api/undo") });

export function renameObject(id, name) {
  if (id === "new") set({ newObject: { ...get().newObject, name } });
  else if (objectOf(id)?.name !== name) command("/api/object/change", { id, name });
}

export function recolorObject(id, color) {
  if (id === "new") set({ newObject: { ...get().newObject, color } });
  else command("/api/object/change", { id, color });
}
