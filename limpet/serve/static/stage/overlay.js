// The masks as a picture: ids looked up in a table of colours, with outlines and hatching, on a canvas.
//
// Only what has changed is coloured again: a stroke its rectangle, a slider everything. A video that is shown much
// smaller than it is has every second or fourth pixel of its masks coloured, which nobody can tell.

import { lookup } from "../core/colors.js";
import { get } from "../core/store.js";

/** A canvas of its own, as a function that colours it. */
export function newOverlay() {
  const canvas = document.createElement("canvas");
  const layer = { canvas, context: canvas.getContext("2d"), drawn: [] };
  return (...facts) => overlayOf(layer, ...facts);
}

/**
 * The canvas of a layer with the masks of `ids` (null: none).
 *
 * @param scale pixels of the screen per pixel of the video
 * @param rect that these ids have changed only there, as [x0, y0, x1, y1]
 */
function overlayOf(layer, ids, width, height, scale, rect = null) {
  const { canvas, context } = layer;
  const step = scale <= 0.25 ? 4 : scale <= 0.5 ? 2 : 1;
  const { opacity, outlines, hatching, safeColors, hidden, solo, project, saving } = get();
  const facts = [ids, width, height, step, opacity, outlines, hatching, safeColors, hidden, solo, project, saving];
  const whole = facts.some((fact, i) => fact !== layer.drawn[i]);
  if (!whole && !rect) return canvas;
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  layer.drawn = facts;
  const thick = Math.max(step, Math.round(height / 480));
  const area = whole ? [0, 0, width, height] : grown(rect, thick + step, width, height);
  const pixels = area.map((edge, i) => (i < 2 ? Math.floor(edge / step) : Math.ceil(edge / step)));
  if (ids) color(context, ids, width, height, pixels, step, thick);
  else context.clearRect(0, 0, columns, rows);
  return canvas;
}

function grown([x0, y0, x1, y1], by, width, height) {
  return [Math.max(0, x0 - by), Math.max(0, y0 - by), Math.min(width, x1 + by), Math.min(height, y1 + by)];
}

/** Colour an area of the canvas; its pixel (x, y) is the video's (x step, y step). */
function color(context, ids, width, height, [x0, y0, x1, y1], step, thick) {
  if (x1 <= x0 || y1 <= y0) return;
  const { inside, outline } = lookup();
  const { hatching } = get();
  const image = new ImageData(x1 - x0, y1 - y0);
  const words = new Uint32Array(image.data.buffer);
  const [last, lowest] = [width - thick, height - thick];
  const down = thick * width;
  for (let row = y0, at = 0; row < y1; row++) {
    const y = row * step;
    for (let x = x0 * step, i = y * width + x; at < (row - y0 + 1) * (x1 - x0); x += step, i += step, at++) {
      const id = ids[i];
      if (id === 0) continue;
      const edge =
        (x >= thick && ids[i - thick] !== id) ||
        (x < last && ids[i + thick] !== id) ||
        (y >= thick && ids[i - down] !== id) ||
        (y < lowest && ids[i + down] !== id);
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
