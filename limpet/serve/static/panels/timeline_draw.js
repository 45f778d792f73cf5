// The picture of the timeline: a ruler, the status of each frame, and a lane per object with its confidence.

import { channels, colorOf } from "../core/colors.js";
import { allObjects } from "../core/edits.js";

export const RULER = 20;
export const STATUS = 10;
export const LANE = 24;
export const LEFT = 92; // where frames begin; the names of objects stand before it
export const RIGHT = 14;

const STATUS_COLORS = {
  propagated: "#3d6b58",
  corrected: "#d8b45a",
  locked: "#8e9bb3",
  stale: "#8a5a35",
  empty: "#24272d",
  unreadable: "#a33",
};
const TEXT = "#a9b0bb";

/** The middle of a frame on the canvas, for the span [from, to] of frames that is shown. */
export const xOf = (frame, [from, to], width) =>
  LEFT + ((frame - from + 0.5) / (to - from + 1)) * (width - LEFT - RIGHT);
export const frameAt = (x, [from, to], width) =>
  Math.floor(from + ((x - LEFT) / (width - LEFT - RIGHT)) * (to - from + 1));
export const heightFor = (objects) => RULER + STATUS + 8 + Math.max(1, objects) * LANE + 4;

/** Draw everything except the playhead, which moves far more often. */
export function drawTimeline(context, { width, height, span, state }) {
  context.clearRect(0, 0, width, height);
  const { timeline, project, range, active } = state;
  if (!timeline) return;
  const place = (frame) => xOf(frame, span, width);
  const half = (width - LEFT - RIGHT) / (span[1] - span[0] + 1) / 2;
  const bar = (first, last, y, high) => {
    const [left, right] = [Math.max(LEFT, place(first) - half), Math.min(width - RIGHT, place(last) + half)];
    if (right > left) context.fillRect(left, y, Math.max(1, right - left), high);
  };
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  if (range) {
    context.fillStyle = "rgba(120,160,255,.16)";
    bar(range[0], range[1], 0, height);
  }
  drawRuler(context, span, place, project.video.fps);
  for (const [first, last, status] of timeline.statuses) {
    context.fillStyle = STATUS_COLORS[status];
    bar(first, last, RULER, STATUS);
  }
  for (const [rank, object] of allObjects().entries()) {
    const y = RULER + STATUS + 8 + rank * LANE;
    drawLane(context, {
      object,
      y,
      place,
      bar,
      lane: timeline.lanes[object.id],
      isActive: object.id === active,
      width,
    });
  }
  for (const [first, last] of project.locked) {
    context.fillStyle = "#c5cfdf";
    bar(first, last, RULER, 3);
  }
  for (const [frame] of timeline.look_first) triangle(context, place(frame), RULER - 1);
}

function drawRuler(context, [from, to], place, fps) {
  const rough = ((to - from + 1) / Math.max(3, place(to) - place(from))) * 90;
  const steps = [
    1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
  ];
  const step = steps.find((one) => one >= rough) ?? 200_000;
  context.fillStyle = TEXT;
  for (let frame = Math.ceil(from / step) * step; frame <= to; frame += step) {
    context.fillRect(Math.round(place(frame)), RULER - 5, 1, 4);
    context.fillText(String(frame), place(frame) + 3, RULER / 2 - 1);
  }
}

function drawLane(context, { object, y, place, bar, lane, isActive, width }) {
  const [r, g, b] = channels(colorOf(object));
  const tone = (alpha) => `rgba(${r},${g},${b},${alpha})`;
  const high = LANE - 6;
  context.fillStyle = isActive ? "rgba(255,255,255,.05)" : "rgba(255,255,255,.02)";
  context.fillRect(LEFT, y, width - LEFT - RIGHT, high);
  context.fillStyle = tone(1);
  context.fillRect(8, y + high / 2 - 4, 8, 8);
  context.fillStyle = isActive ? "#fff" : TEXT;
  context.fillText(shortened(context, object.name || `object ${object.id}`, LEFT - 30), 22, y + high / 2);
  if (!lane) return;
  for (const [first, last, kind] of lane.spans) {
    if (kind === "empty") continue;
    const alpha = { propagated: 0.34, given: 0.5, stale: 0.14, lost: 0.1, unsure: 0.3 }[kind] ?? 0.2;
    context.fillStyle = tone(alpha);
    bar(first, last, y, high);
    if (kind === "lost" || kind === "unsure" || kind === "stale") {
      context.fillStyle = kind === "stale" ? "#b9824f" : "#ff7b6b";
      bar(first, last, y + high - (kind === "lost" ? 4 : 2), kind === "lost" ? 4 : 2);
    }
  }
  drawCurve(context, lane.confidence, place, y, high, tone(0.95), width);
  for (const frame of lane.key_frames) diamond(context, place(frame), y + high / 2, tone(1), width);
}

function drawCurve(context, points, place, y, high, style, width) {
  context.strokeStyle = style;
  context.lineWidth = 1.2;
  context.beginPath();
  let before = null;
  for (const [frame, value] of points) {
    const x = place(frame);
    if (x < LEFT || x > width - RIGHT) continue;
    const at = y + high - 1 - value * (high - 2);
    // Points that are far apart have nothing between them.
    if (before !== null && x - before < 40) context.lineTo(x, at);
    else context.moveTo(x, at);
    before = x;
  }
  context.stroke();
}

function diamond(context, x, y, style, width) {
  if (x < LEFT - 4 || x > width - RIGHT + 4) return;
  context.beginPath();
  for (const [dx, dy] of [
    [0, -6],
    [5, 0],
    [0, 6],
    [-5, 0],
  ])
    context.lineTo(x + dx, y + dy);
  context.closePath();
  context.fillStyle = style;
  context.strokeStyle = "#14161a";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

function triangle(context, x, y) {
  if (x < LEFT) return;
  context.fillStyle = "#ff7b6b";
  context.beginPath();
  for (const [dx, dy] of [
    [-4, -7],
    [4, -7],
    [0, 0],
  ])
    context.lineTo(x + dx, y + dy);
  context.fill();
}

function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let kept = text;
  while (kept && context.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept}…`;
}
