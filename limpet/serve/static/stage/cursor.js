// Drawing without a mouse: a cross that Alt and the arrow keys move, and that Alt + Enter presses or releases.

import { announce } from "../core/notes.js";
import { get } from "../core/store.js";
import { currentTool } from "../tools/tools.js";
import { videoSize } from "./drawing.js";
import { requestDraw } from "./draw.js";
import { toStage } from "./view.js";

const cursor = { point: null, isDown: false };
const PRESS = { button: 0, altKey: false, detail: 1 };

export function moveCursor([dx, dy], step) {
  const [width, height] = videoSize();
  const [x, y] = cursor.point ?? [width / 2, height / 2];
  cursor.point = [
    Math.max(0, Math.min(width - 1, x + dx * step)),
    Math.max(0, Math.min(height - 1, y + dy * step)),
  ];
  currentTool().move?.([cursor.point], cursor.isDown);
  announce(`column ${Math.round(cursor.point[0])}, row ${Math.round(cursor.point[1])}`);
  requestDraw();
}

/** Press, or release what was pressed. Tools that take clicks get both at once. */
export function pressCursor() {
  if (!get().project) return;
  cursor.point ??= videoSize().map((length) => length / 2);
  const tool = currentTool();
  if (!cursor.isDown) tool.down(cursor.point, PRESS);
  else tool.up?.();
  cursor.isDown = Boolean(tool.up) && !cursor.isDown;
  announce(cursor.isDown ? "pressed" : "released");
  requestDraw();
}

/** A mouse takes over. */
export function hideCursor() {
  if (cursor.isDown) currentTool().up?.();
  Object.assign(cursor, { point: null, isDown: false });
}

export function paintCursor(context) {
  if (!cursor.point) return;
  const [x, y] = toStage(...cursor.point);
  for (const [style, width] of [
    ["#000", 3],
    [cursor.isDown ? "#ff5d5d" : "#fff", 1],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x - 12, y);
    context.lineTo(x + 12, y);
    context.moveTo(x, y - 12);
    context.lineTo(x, y + 12);
    context.stroke();
  }
}
