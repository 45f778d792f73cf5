// Tools that ask the server for a mask: a click on the object, and a box around it.

import { postJson } from "../core/api.js";
import { freeId, shownIds } from "../core/edits.js";
import { note, noteError } from "../core/notes.js";
import { decodePng, encodePng, fromBase64, toBase64 } from "../core/png.js";
import { planeOf } from "../core/raster.js";
import { get, set } from "../core/store.js";
import { mayDraw, videoSize } from "../stage/drawing.js";
import { requestDraw } from "../stage/draw.js";
import { isInside, toStage } from "../stage/view.js";
import { acceptProposal, discardProposal, propose } from "./proposal.js";

/** Ask, and tell the person that something is being worked on. Returns the plane, or null. */
async function ask(path, body, words) {
  set({ toolStatus: words });
  try {
    const { mask } = await postJson(path, body);
    return (await decodePng(fromBase64(mask))).ids.map((value) => (value ? 1 : 0));
  } catch (error) {
    noteError(error);
    return null;
  } finally {
    set({ toolStatus: "" });
  }
}

/** An answer is shown; where Enter was pressed meanwhile, it is accepted. */
function take(tool, frame, active, plane, isWhole) {
  const { accepting } = tool;
  tool.accepting = false;
  if (!plane || (get().active !== active && !accepting)) return;
  if (get().frame !== frame && !accepting)
    return note(`The suggestion for frame ${frame} came after you had left it. Ask again there.`);
  propose(frame, active, plane, isWhole);
  if (accepting) acceptProposal();
}

/** Clicks belong to one object in one frame. Each asks again with all of them. */
export const click = {
  points: [],
  frame: -1,
  active: null,
  asked: 0,
  answered: 0,
  accepting: false,

  /** The model is loaded by the time of the first click; it is not kept for ever. */
  prepare() {
    postJson("/api/segment/prepare").catch(() => {}); // a click says what is wrong
  },

  async down(point, event) {
    if (!isInside(point) || !mayDraw()) return;
    const { frame, active, proposal } = get();
    const goesOn = proposal || this.asked > this.answered;
    if (this.frame !== frame || this.active !== active || !goesOn) this.points = [];
    Object.assign(this, { frame, active });
    const outside = event.button === 2 || event.altKey;
    this.points.push([Math.floor(point[0]), Math.floor(point[1]), outside ? 0 : 1]);
    requestDraw();
    await this.ask();
  },

  async ask() {
    const number = ++this.asked;
    const { frame, active } = this;
    const object = active === "new" ? freeId() : active;
    const present = planeOf(shownIds(frame) ?? new Uint8Array(1), object); // as it was before the first click
    const mask = present.includes(1) ? toBase64(await encodePng(present, ...videoSize())) : null;
    const body = { frame, object, points: this.points, mask };
    const plane = await ask("/api/segment/click", body, "Finding the object ...");
    if (number !== this.asked) return; // there are further clicks, or the person gave up
    this.answered = number;
    take(this, frame, active, plane, true);
    if (!plane) this.points.pop();
    requestDraw();
  },

  /** Enter before the answer is there. */
  acceptSoon() {
    return this.asked > this.answered && (this.accepting = true);
  },

  back() {
    if (!this.points.length || !get().proposal) return false;
    this.points.pop();
    discardProposal();
    if (this.points.length) this.ask();
    return true;
  },

  cancel() {
    const busy = this.points.length > 0;
    this.points = [];
    this.answered = ++this.asked;
    this.accepting = false;
    requestDraw();
    return discardProposal() || busy;
  },

  paint(context) {
    if (this.frame !== get().frame || this.active !== get().active) return;
    if (!get().proposal && this.asked === this.answered) return; // they were accepted
    for (const [x, y, inside] of this.points) {
      const [cx, cy] = toStage(x + 0.5, y + 0.5);
      context.beginPath();
      context.arc(cx, cy, 6, 0, 7);
      context.fillStyle = inside ? "#2fd16b" : "#ff5252";
      context.fill();
      context.strokeStyle = "#fff";
      context.lineWidth = 2;
      context.stroke();
    }
  },
};

export const box = {
  from: null,
  to: null,
  asked: 0,
  answered: 0,
  accepting: false,

  down(point) {
    if (mayDraw()) this.from = this.to = point;
  },

  move(points) {
    if (this.from) this.to = points.at(-1);
    requestDraw();
  },

  async up() {
    const [width, height] = videoSize();
    const { from, to } = this;
    this.from = this.to = null;
    requestDraw();
    if (!from || Math.abs(from[0] - to[0]) < 4 || Math.abs(from[1] - to[1]) < 4) return;
    const { frame, active } = get();
    const corners = [
      Math.min(from[0], to[0]),
      Math.min(from[1], to[1]),
      Math.max(from[0], to[0]),
      Math.max(from[1], to[1]),
    ];
    const rect = corners.map((v, i) => Math.round(Math.max(0, Math.min(i % 2 ? height : width, v))));
    const number = ++this.asked;
    const plane = await ask(
      "/api/segment/box",
      { frame, box: rect },
      "Cutting the object out of the box ...",
    );
    if (number !== this.asked) return; // there is another box, or the person gave up
    this.answered = number;
    take(this, frame, active, plane, false);
  },

  acceptSoon() {
    return this.asked > this.answered && (this.accepting = true);
  },

  cancel() {
    const busy = this.from !== null || this.asked > this.answered;
    this.from = this.to = null;
    this.answered = ++this.asked;
    this.accepting = false;
    requestDraw();
    return discardProposal() || busy;
  },

  paint(context, color) {
    if (!this.from) return;
    const [ax, ay] = toStage(...this.from);
    const [bx, by] = toStage(...this.to);
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.setLineDash([6, 4]);
    context.strokeRect(ax, ay, bx - ax, by - ay);
    context.setLineDash([]);
  },
};
