// Brush and eraser: a line of disks that follows the pointer. One press, drag and release is one edit.

import { drawCapsule, eraserMap, united } from "../core/raster.js";
import { get } from "../core/store.js";
import { beginDrawing, cancelDrawing, drawing, endDrawing, videoSize } from "../stage/drawing.js";
import { requestDraw } from "../stage/draw.js";
import { toStage, view } from "../stage/view.js";

class Brush {
  constructor(erases) {
    this.erases = erases;
    this.map = null;
    this.last = null;
    this.pointer = null;
  }

  down(point, event) {
    const begun = beginDrawing();
    if (!begun) return;
    const erases = this.erases || event.altKey || event.button === 2;
    this.map = erases ? eraserMap(begun.object.id) : begun.map;
    this.line([point]);
  }

  /** `points`: where the pointer went since the last call, which may be more than one place. */
  move(points, isDown) {
    this.pointer = points.at(-1);
    if (isDown && this.map && drawing.ids) this.line(points);
    else requestDraw();
  }

  line(points) {
    let rect = null;
    for (const point of points) {
      const done = drawCapsule(
        drawing.ids,
        videoSize(),
        this.last ?? point,
        point,
        get().brushSize,
        this.map,
      );
      rect = united(rect, done);
      this.last = point;
    }
    requestDraw(rect);
  }

  up() {
    if (this.map) endDrawing();
    this.map = this.last = null;
    requestDraw();
  }

  cancel() {
    const busy = this.map !== null;
    cancelDrawing();
    this.map = this.last = null;
    requestDraw();
    return busy;
  }

  leave() {
    this.pointer = null;
    requestDraw();
  }

  paint(context, color) {
    if (!this.pointer) return;
    const [x, y] = toStage(...this.pointer);
    const radius = Math.max(1, get().brushSize * view.scale);
    for (const [style, width] of [
      ["rgba(0,0,0,.6)", 3],
      [this.erases ? "#fff" : color, 1.5],
    ]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.strokeStyle = style;
      context.lineWidth = width;
      context.setLineDash(this.erases ? [4, 3] : []);
      context.stroke();
    }
    context.setLineDash([]);
  }
}

export const brush = new Brush(false);
export const eraser = new Brush(true);
