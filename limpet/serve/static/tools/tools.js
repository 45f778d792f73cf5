// The tools by name. Each may have prepare (it was chosen), down, move, up, leave (the pointer), acceptSoon,
// accept, back, cancel (keys) and paint (what it adds to the stage); points are [x, y] in pixels of the video.
// acceptSoon, back and cancel return whether there was something.

import { get, set } from "../core/store.js";
import { brush, eraser } from "./brush.js";
import { fill } from "./fill.js";
import { livewire, polygon } from "./outline.js";
import { acceptProposal } from "./proposal.js";
import { box, click } from "./suggest.js";

export const TOOLS = [
  {
    name: "brush",
    label: "Brush",
    key: "D",
    tool: brush,
    hint: "Drag to draw. Alt or the right button erases. Shift + wheel changes the size.",
  },
  {
    name: "eraser",
    label: "Eraser",
    key: "E",
    tool: eraser,
    hint: "Drag to take pixels away from the object.",
  },
  {
    name: "polygon",
    label: "Polygon",
    key: "P",
    tool: polygon,
    hint: "Click the corners; Enter or the first point closes, Backspace takes one back.",
  },
  {
    name: "livewire",
    label: "Livewire",
    key: "W",
    tool: livewire,
    hint: "Click along the edge: the line snaps to it. Enter or the first point closes.",
  },
  {
    name: "fill",
    label: "Fill",
    key: "G",
    tool: fill,
    hint: "Click into a closed outline or a region to give all of it to the object.",
  },
  {
    name: "box",
    label: "Box",
    key: "R",
    tool: box,
    hint: "Drag a box around the object; Enter accepts what is found in it.",
  },
  {
    name: "click",
    label: "Click",
    key: "K",
    tool: click,
    hint: "Click on the object; right button or Alt: not this. Enter accepts.",
  },
];

export const toolNamed = (name) => TOOLS.find((entry) => entry.name === name);
export const currentTool = () => toolNamed(get().tool).tool;

export function chooseTool(name) {
  acceptProposal();
  currentTool().up?.();
  set({ tool: name });
  currentTool().prepare?.();
}

export function chooseObject(id) {
  acceptProposal();
  set({ active: id });
}
