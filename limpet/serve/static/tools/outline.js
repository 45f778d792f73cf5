// Outlines that are clicked: polygon (straight legs) and livewire (legs along the edges of the picture).
//
// An outline belongs to the frame in which it was begun. It waits there when the person looks at another frame, until it
// is closed (the first point, a double click, Enter) or given up (Escape).

import { postJson } from "../core/api.js";
import { noteError } from "../core/notes.js";
import { drawPolygon } from "../core/raster.js";
import { get } from "../core/store.js";
import { beginDrawing, endDrawing, mayDraw, videoSize } from "../stage/drawing.js";
import { requestDraw } from "../stage/draw.js";
import { toStage } from "../stage/view.js";

const NEAR = 9; // CSS pixels within which a click means the first point

class Outline {
  /** `guide` finds legs; null: straight lines. */
  constructor(guide = null) {
    this.guide = guide;
    this.clear();
  }

  clear() {
    this.frame = -1;
    this.legs = []; // each a list of points; the last of a leg is where was clicked
    this.preview = [];
    this.pointer = null;
  }

  get points() {
    return this.legs.flat();
  }

  here() {
    return this.legs.length > 0 && this.frame === get().frame;
  }

  down(point, event) {
    if (event.button === 2) return this.back();
    if (!this.here()) {
      if (!mayDraw()) return;
      this.clear();
      this.frame = get().frame;
    } else if (event.detail > 1 || this.isNearFirst(point)) {
      return this.accept();
    }
    const spot = clamped(point);
    this.legs.push(this.preview.length && this.guide ? [...this.preview, spot] : [spot]);
    this.preview = [];
    this.guide?.anchor(this.frame, spot);
    requestDraw();
  }

  isNearFirst(point) {
    const [ax, ay] = toStage(...point);
    const [bx, by] = toStage(...this.legs[0][0]);
    return this.legs.length > 2 && Math.hypot(ax - bx, ay - by) < NEAR;
  }

  async move(points) {
    this.pointer = points.at(-1);
    requestDraw();
    if (!this.here() || !this.guide) return;
    const path = await this.guide.path(clamped(this.pointer));
    if (path) this.preview = path;
    requestDraw();
  }

  /** Take back the last point. */
  back() {
    if (!this.here()) return false;
    this.legs.pop();
    this.preview = [];
    if (this.legs.length) this.guide?.anchor(this.frame, this.legs.at(-1).at(-1));
    requestDraw();
    return true;
  }

  accept() {
    if (!this.here() || this.points.length < 3) return false;
    const begun = beginDrawing();
    if (!begun) return true;
    drawPolygon(begun.ids, videoSize(), this.points, begun.map);
    this.clear();
    endDrawing();
    requestDraw();
    return true;
  }

  cancel() {
    const busy = this.here();
    this.clear();
    requestDraw();
    return busy;
  }

  leave() {
    this.pointer = null;
  }

  paint(context, color) {
    if (!this.here()) return;
    const ahead = this.preview.length && this.guide ? this.preview : this.pointer ? [this.pointer] : [];
    const points = [...this.points, ...ahead].map((point) => toStage(...point));
    for (const [style, width] of [
      ["rgba(0,0,0,.65)", 3.5],
      [color, 1.8],
    ]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      context.stroke();
    }
    for (const [rank, leg] of this.legs.entries()) {
      const [x, y] = toStage(...leg.at(-1));
      context.beginPath();
      context.arc(x, y, rank ? 3 : 5, 0, 7);
      context.fillStyle = rank ? color : "#fff";
      context.fill();
    }
  }
}

function clamped([x, y]) {
  const [width, height] = videoSize();
  return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
}

/** Legs along edges (Mortensen and Barrett 1995), which the server finds; one question at a time, the newest. */
const alongEdges = {
  id: null,
  asking: false,

  async anchor(frame, point) {
    this.id = null;
    const reach = Math.max(...videoSize()) / 4;
    const [width, height] = videoSize();
    const [x, y] = point;
    const box = [x - reach, y - reach, x + reach, y + reach].map((v, i) =>
      Math.round(Math.max(0, Math.min(i % 2 ? height : width, v))),
    );
    try {
      const at = [Math.min(width - 1, Math.floor(x)), Math.min(height - 1, Math.floor(y))];
      this.id = (await postJson("/api/segment/livewire/anchor", { frame, point: at, box })).id;
    } catch (error) {
      noteError(error);
    }
  },

  async path(to) {
    if (this.id === null || this.asking) return null;
    this.asking = true;
    const { id } = this;
    const [width, height] = videoSize();
    try {
      const at = [Math.min(width - 1, Math.floor(to[0])), Math.min(height - 1, Math.floor(to[1]))];
      const answer = await postJson("/api/segment/livewire/path", { id, to: at });
      return id === this.id ? answer.path.map(([x, y]) => [x + 0.5, y + 0.5]) : null;
    } catch {
      return [to]; // too far for the map of edges: a straight leg
    } finally {
      this.asking = false;
    }
  },
};

export const polygon = new Outline();
export const livewire = new Outline(alongEdges);
