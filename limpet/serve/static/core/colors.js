// Which colour an object has on the screen, and whether it is shown at all.

import { allObjects } from "./edits.js";
import { get } from "./store.js";

// Okabe and Ito's colours, told apart with every common kind of colour blindness; hatching tells them apart beyond.
const SAFE = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];

/** The colour of an object for which nobody has chosen one, as the server has it too: those, then DAVIS's palette. */
export function suggestedColor(id) {
  if (id <= SAFE.length) return SAFE[id - 1];
  const parts = [0, 1, 2].map((channel) => {
    let value = 0;
    for (let bit = 0; bit < 8; bit++) value |= ((id >> (3 * bit + channel)) & 1) << (7 - bit);
    return value & 255;
  });
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

export function colorOf(object) {
  return get().safeColors ? SAFE[(object.id - 1) % SAFE.length] : object.color || suggestedColor(object.id);
}

export const nameOfObject = (object) => object.name || `object ${object.id}`;

/** Whether an object's pixels are drawn. */
export const isShown = (id) => (get().solo === null ? !get().hidden[id] : get().solo === id);

export function channels(color) {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** The colours of all ids as the words of an ImageData (ABGR on every machine there is): inside and outline. */
export function lookup() {
  const { opacity, outlines } = get();
  const inside = new Uint32Array(256);
  const outline = new Uint32Array(256);
  for (const object of allObjects()) {
    if (!isShown(object.id)) continue;
    const [r, g, b] = channels(colorOf(object));
    const word = (r | (g << 8) | (b << 16)) >>> 0;
    inside[object.id] = (word | (Math.round(opacity * 255) << 24)) >>> 0;
    outline[object.id] = outlines ? (word | (255 << 24)) >>> 0 : inside[object.id];
  }
  return { inside, outline };
}
