// What is on the stage: the frame, the masks over it, and what the tool in hand adds. Drawn at most once per picture of
// the screen, and only when something has changed.

import { shownIds } from "../core/edits.js";
import { earlierIdsOf, onMasks } from "../core/masks.js";
import { fitHeight, onPictures, picture } from "../core/pictures.js";
import { get, watch } from "../core/store.js";
import { united } from "../core/raster.js";
import { drawing } from "./drawing.js";
import { newOverlay } from "./overlay.js";
import { view } from "./view.js";

const GROUND = "#0e1013";
const overlayOf = newOverlay();
const earlierOverlayOf = newOverlay();
let canvas = null;
let paintTool = () => {};
let asked = false;
let changedRect = null;
const shown = { frame: -1, ids: null, frameOfIds: -1 };

export function attach(element, tool) {
  canvas = element;
  paintTool = tool;
  Object.assign(shown, { frame: -1, ids: null, frameOfIds: -1 });
  requestDraw();
}

/** Draw soon. `rect`: the ids of the stroke in progress have changed there. */
export function requestDraw(rect = null) {
  changedRect = united(changedRect, rect);
  if (asked || !canvas) return;
  asked = true;
  requestAnimationFrame(draw);
}

onPictures((error) => {
  if (canvas) canvas.dataset.error = error ? error.message : "";
  requestDraw();
});
onMasks(() => requestDraw());

// Most of what happens on the page changes nothing here, and a picture of a large video takes a while to draw.
const facts = (s) => [s.project, s.frame, s.active, s.tool, s.brushSize, s.proposal, s.saving, s.compare, s.compareEarlier, s.newObject];
const looks = (s) => [s.hidden, s.solo, s.opacity, s.outlines, s.hatching, s.safeColors];
let known = [];
watch((state) => {
  const now = [...facts(state), ...looks(state)];
  if (now.some((fact, i) => fact !== known[i])) requestDraw();
  known = now;
});

function draw() {
  asked = false;
  const { project, frame } = get();
  if (!canvas.clientWidth) return; // not on the screen now
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d", { alpha: false });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = GROUND;
  context.fillRect(0, 0, width, height);
  if (!project) return;
  const { video } = project;
  fitHeight(Math.round(video.height * view.scale * ratio));
  // A frame and its masks are shown together or not at all: until the picture is there, the one before stays.
  if (picture(frame)) shown.frame = frame;
  const bitmap = picture(shown.frame);
  const box = [view.x, view.y, video.width * view.scale, video.height * view.scale];
  context.fillStyle = "#000";
  if (!bitmap) context.fillRect(...box);
  context.imageSmoothingEnabled = view.scale * ratio < 4;
  context.imageSmoothingQuality = "low"; // frames come nearly as large as they are shown; "medium" takes five times as long
  if (bitmap) context.drawImage(bitmap, ...box);
  drawMasks(context, video, box);
  paintTool(context);
  mark(frame);
}

function drawMasks(context, video, box) {
  const ids = drawing.frame === shown.frame ? drawing.ids : shownIds(shown.frame);
  if (ids !== undefined) Object.assign(shown, { ids, frameOfIds: shown.frame });
  const rect = changedRect;
  changedRect = null;
  if (shown.frameOfIds !== shown.frame || !shown.ids) return;
  const scale = view.scale * (window.devicePixelRatio || 1);
  const overlay = overlayOf(shown.ids, video.width, video.height, scale, drawing.ids ? rect : null);
  const { compare } = get();
  context.save();
  if (compare !== null) {
    context.beginPath();
    context.rect(box[0] + box[2] * compare, box[1], box[2] * (1 - compare), box[3]);
    context.clip();
  }
  context.drawImage(overlay, ...box);
  context.restore();
  if (compare === null) return;
  if (get().compareEarlier) drawEarlier(context, video, box, scale, compare);
  drawDivider(context, box, compare);
}

/** Left of the divider: the masks from before the last edit. */
function drawEarlier(context, video, box, scale, compare) {
  const ids = earlierIdsOf(shown.frame);
  if (!ids) return;
  context.save();
  context.beginPath();
  context.rect(box[0], box[1], box[2] * compare, box[3]);
  context.clip();
  context.drawImage(earlierOverlayOf(ids, video.width, video.height, scale), ...box);
  context.restore();
}

function drawDivider(context, [x, y, width, height], compare) {
  context.fillStyle = "rgba(255,255,255,.9)";
  context.fillRect(x + width * compare - 0.75, y, 1.5, height);
  context.beginPath();
  context.arc(x + width * compare, y + height / 2, 9, 0, 7);
  context.fill();
}

/** What is drawn now, for tests and measurements. */
function mark(frame) {
  canvas.dataset.frame = shown.frame;
  canvas.dataset.masks = shown.frameOfIds === shown.frame ? "here" : "coming";
  canvas.dataset.ready = shown.frame === frame && shown.frameOfIds === frame;
}
