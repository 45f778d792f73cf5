// The frames of the video: JPEGs around the shown one are fetched ahead, and the nearest of them are decoded.
//
// A <video> element is not used: browsers do not agree on which frame a time means. The server decodes frame n exactly.

import { request } from "./api.js";
import { Loader, around } from "./loader.js";
import { get } from "./store.js";

const REACH = 30; // frames fetched ahead on each side
const DECODED = 12; // bitmaps that are kept: 4 to 8 MB each
const READY = 3; // neighbours that are decoded before they are wanted
const HEIGHTS = [360, 540, 720, 1080]; // few, so that windows of other sizes find the same JPEGs in the cache

const bitmaps = new Map(); // frame -> ImageBitmap, in the order of use
const decoding = new Map();
let center = 0;
let direction = 1;
let height = HEIGHTS.find((one) => one >= 0.7 * window.innerHeight * window.devicePixelRatio) ?? Infinity;
let onPicture = () => {};

const jpegs = new Loader(fetchJpeg, arrived, 160);
jpegs.onError = (frame, error) => frame === center && onPicture(error);

/** Call `action(error)` whenever a picture near the shown frame is there, or could not be had. */
export function onPictures(action) {
  onPicture = action;
}

async function fetchJpeg(frame, signal) {
  const { video } = get().project;
  const size = height < video.height ? `?h=${height}` : "";
  return (await request(`/frame/${video.id}/${frame}${size}`, { signal })).blob();
}

/** Make `frame` the middle of the window. */
export function lookAt(frame) {
  const last = (get().timeline?.frames ?? get().project.video.frames ?? frame + 1) - 1;
  if (frame !== center) direction = frame > center ? 1 : -1;
  center = frame;
  jpegs.want(around(frame, REACH, last, direction));
  decode(frame);
}

/** Pictures are fetched no higher than they are shown. */
export function fitHeight(pixels) {
  const wanted = HEIGHTS.find((one) => one >= pixels) ?? Infinity;
  const most = get().project.video.height;
  const before = height;
  height = wanted;
  if (Math.min(wanted, most) !== Math.min(before, most)) {
    jpegs.clear(); // the bitmaps stay until better ones are there
    lookAt(center);
  }
}

export function forgetPictures() {
  jpegs.clear();
  for (const bitmap of bitmaps.values()) bitmap.close();
  bitmaps.clear();
}

/** The picture of a frame, or undefined as long as it is not decoded. */
export const picture = (frame) => bitmaps.get(frame);

function arrived(frame) {
  if (Math.abs(frame - center) <= READY) decode(frame, true);
}

async function decode(frame, again = false) {
  const blob = jpegs.get(frame);
  if (!blob) return;
  if ((!again && bitmaps.has(frame)) || decoding.get(frame) === blob) return prepare(frame);
  decoding.set(frame, blob);
  try {
    const bitmap = await createImageBitmap(blob);
    bitmaps.get(frame)?.close();
    bitmaps.delete(frame);
    bitmaps.set(frame, bitmap);
    evict();
    if (frame === center) onPicture(null);
    prepare(frame);
  } finally {
    decoding.delete(frame);
  }
}

/** Once the shown frame is there, its neighbours. */
function prepare(frame) {
  if (frame !== center) return;
  for (let step = 1; step <= READY; step++) {
    for (const next of [center + direction * step, center - direction * step]) {
      if (!bitmaps.has(next)) decode(next);
    }
  }
}

function evict() {
  const far = [...bitmaps.keys()].sort((a, b) => Math.abs(b - center) - Math.abs(a - center));
  for (const frame of far.slice(0, Math.max(0, bitmaps.size - DECODED))) {
    bitmaps.get(frame).close();
    bitmaps.delete(frame);
  }
}
