// The masks as a picture: ids looked up in a table of colours, with outlines and hatching, on a canvas of the video's
// size. Only what has changed is coloured again: a stroke its rectangle, a slider everything.

import { lookup } from "../core/colors.js";
import { get } from "../core/store.js";

const canvas = document.createElement("canvas");
const context = canvas.getContext("2d");
let drawn = { ids: null, look: "" };

/** The canvas with the masks of `ids` (null: none); `rect` says that these ids have changed only there. */
export function overlayOf(ids, width, height, rect = null) {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    drawn = { ids: null, look: "" };
  }
  const { opacity, outlines, hatching, safeColors, hidden, solo, project, saving } = get();
  const look = JSON.stringify([opacity, outlines, hatching, safeColors, hidden, solo, project?.objects, saving]);
  const whole = drawn.ids !== ids || drawn.look !== look;
  if (!whole && !rect) return canvas;
  drawn = { ids, look };
  const thick = Math.max(1, Math.round(height / 480));
  const area = whole ? [0, 0, width, height] : grown(rect, thick, width, height);
  if (ids) color(ids, width, height, area, thick);
  else context.clearRect(0, 0, width, height);
  return canvas;
}

function grown([x0, y0, x1, y1], by, width, height) {
  return [Math.max(0, x0 - by), Math.max(0, y0 - by), Math.min(width, x1 + by), Math.min(height, y1 + by)];
}

function color(ids, width, height, [x0, y0, x1, y1], thick) {
  const { inside, outline } = lookup();
  const { hatching } = get();
  const image = new ImageData(x1 - x0, y1 - y0);
  const words = new Uint32Array(image.data.buffer);
  for (let y = y0, at = 0; y < y1; y++) {
    for (let x = x0; x < x1; x++, at++) {
      const i = y * width + x;
      const id = ids[i];
      if (!id) continue;
      const edge =
        (x >= thick && ids[i - thick] !== id) ||
        (x < width - thick && ids[i + thick] !== id) ||
        (y >= thick && ids[i - thick * width] !== id) ||
        (y < height - thick && ids[i + thick * width] !== id);
      words[at] = edge || (hatching && onHatch(id, x, y, thick)) ? outline[id] : inside[id];
    }
  }
  context.putImageData(image, x0, y0);
}

/** Lines that tell objects apart without colours: four directions, and three distances. */
function onHatch(id, x, y, thick) {
  const period = (8 + 5 * (Math.floor((id - 1) / 4) % 3)) * thick;
  const along = [x + y, x - y + 100_000 * period, y, x][(id - 1) % 4];
  return along % period < thick * 1.5;
}
