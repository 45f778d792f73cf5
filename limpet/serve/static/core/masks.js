// The masks that the server has: which one each frame shows, and their ids.
//
// Masks are named by the sha256 of their bytes, so that a mask that was read once is never asked for again, whatever
// undo, redo and other tabs do. What changes is the index: frame -> name.

import { getJson, request } from "./api.js";
import { Loader, around } from "./loader.js";
import { decodePng } from "./png.js";
import { get } from "./store.js";

const SPAN = 180; // frames of the index on each side
const REACH = 30; // masks fetched ahead on each side
const names = new Map(); // frame -> sha, or null where the frame has no mask
const earlier = new Map(); // frame -> sha or null before the last edit, where that was another one
const confidences = new Map(); // frame -> {object: 0..1}
let known = null; // the span of the index
let reading = Promise.resolve(); // the read of the index that goes on
let queued = null; // and the one after it
let center = 0;
let onMask = () => {};

const loader = new Loader(fetchMask, (sha) => [names.get(center), earlier.get(center)].includes(sha) && onMask(), 72);

export function onMasks(action) {
  onMask = action;
}

async function fetchMask(sha, signal) {
  const data = await (await request(`/mask/${sha}.png`, { signal })).arrayBuffer();
  return (await decodePng(new Uint8Array(data))).ids;
}

/** The ids of a frame; null where it has no mask, undefined as long as they are not here. */
export function idsOf(frame) {
  const sha = names.get(frame);
  return sha ? loader.get(sha) : sha;
}

/** The ids of a frame before the last edit; null where it had no mask, undefined as long as they are not here. */
export function earlierIdsOf(frame) {
  if (!earlier.has(frame)) return idsOf(frame);
  const sha = earlier.get(frame);
  return sha ? loader.get(sha) : sha;
}

export const nameOf = (frame) => names.get(frame);
export const confidenceOf = (frame) => confidences.get(frame) ?? {};

export function lookAtMask(frame) {
  center = frame;
  const last = (get().timeline?.frames ?? frame + 1) - 1;
  const inside =
    known && (frame - 40 >= known[0] || known[0] === 0) && (frame + 40 <= known[1] || known[1] >= last);
  if (!inside) readIndex().catch(() => setTimeout(() => names.has(center) || lookAtMask(center), 1500));
  wantAround();
}

/** Read the index again, because something has changed. A call joins a read that has not begun, never one that has. */
export function readIndex() {
  if (!queued) {
    queued = reading.then(() => {
      queued = null;
      return read();
    });
    reading = queued.catch(() => {});
  }
  return queued;
}

async function read() {
  const [from, to] = [Math.max(0, center - SPAN), center + SPAN];
  const before = get().compareEarlier ? "&before=1" : "";
  const answer = await getJson(`/api/masks?from=${from}&to=${to}${before}`);
  for (const map of [names, confidences]) {
    for (const frame of map.keys()) if (frame >= from && frame <= to) map.delete(frame);
  }
  for (let frame = from; frame <= to; frame++) names.set(frame, null);
  for (const [frame, sha] of Object.entries(answer.masks)) names.set(Number(frame), sha);
  earlier.clear();
  for (const [frame, sha] of Object.entries(answer.before)) earlier.set(Number(frame), sha);
  for (const [frame, values] of Object.entries(answer.confidence)) confidences.set(Number(frame), values);
  known = [from, to];
  wantAround();
  onMask();
}

export function forgetMasks() {
  names.clear();
  earlier.clear();
  confidences.clear();
  known = null;
  loader.clear();
}

/** Resolves with the ids of a frame once they are here; null where it has none. */
export async function loaded(frame) {
  for (let wait = 0; wait < 100; wait++) {
    const ids = idsOf(frame);
    if (ids !== undefined) return ids;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("The mask of this frame could not be read.");
}

function wantAround() {
  const last = (get().timeline?.frames ?? center + REACH + 1) - 1;
  const shas = around(center, REACH, last).map((frame) => names.get(frame));
  loader.want([...new Set([earlier.get(center), ...shas].filter(Boolean))]);
}
