// A mask that the server suggests: shown with a white edge until the person accepts (Enter) or discards it (Escape).
//
// Nothing that was looked at is thrown away in silence: going to another frame, object or tool accepts it.

import { drawPlane } from "../core/raster.js";
import { get, set, watchValue } from "../core/store.js";
import { channels } from "../core/colors.js";
import { beginDrawing, endDrawing, videoSize } from "../stage/drawing.js";
import { requestDraw } from "../stage/draw.js";
import { view } from "../stage/view.js";

const canvas = document.createElement("canvas");
let painted = null;

/** `plane` is 1 where the object would be; `isWhole`: it replaces the object's mask, otherwise it is added to it. */
export function propose(frame, active, plane, isWhole) {
  set({ proposal: { frame, active, plane, isWhole } });
}

/** Make the proposal an edit. Returns whether there was one. */
export function acceptProposal() {
  const { proposal, frame, active } = get();
  if (!proposal) return false;
  set({ proposal: null, frame: proposal.frame, active: proposal.active });
  const begun = beginDrawing();
  if (begun) {
    const { ids, object, map } = begun;
    if (proposal.isWhole) drawPlane(ids, object.id, proposal.plane, map);
    else for (let i = 0; i < ids.length; i++) if (proposal.plane[i]) ids[i] = map[ids[i]];
    endDrawing();
  }
  // Back to where the person was going; an object that was new has its id now.
  set({ frame, active: active === proposal.active ? get().active : active });
  requestDraw();
  return true;
}

export function discardProposal() {
  const had = get().proposal !== null;
  set({ proposal: null });
  return had;
}

export function paintProposal(context, color) {
  const { proposal, frame } = get();
  if (!proposal || proposal.frame !== frame) return;
  const [width, height] = videoSize();
  if (painted?.plane !== proposal.plane || painted.color !== color) {
    painted = { plane: proposal.plane, color };
    fillCanvas(proposal.plane, width, height, channels(color));
  }
  context.drawImage(canvas, view.x, view.y, width * view.scale, height * view.scale);
}

function fillCanvas(plane, width, height, [r, g, b]) {
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  const inside = (r | (g << 8) | (b << 16) | (150 << 24)) >>> 0;
  const thick = Math.max(1, Math.round(height / 480));
  for (let i = 0; i < plane.length; i++) {
    if (!plane[i]) continue;
    const edge =
      !plane[i - thick] || !plane[i + thick] || !plane[i - thick * width] || !plane[i + thick * width];
    words[i] = edge ? 0xffffffff : inside;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

watchValue(({ frame }) => frame, acceptProposal);
