// The stage as a component: the canvas, the pointer, the wheel, and masks that are dropped on it.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { allObjects, freeId, paint, recordOf } from "../core/edits.js";
import { colorOf, suggestedColor } from "../core/colors.js";
import { note, noteError } from "../core/notes.js";
import { decodePng } from "../core/png.js";
import { planeOf } from "../core/raster.js";
import { get, set, useStore } from "../core/store.js";
import { toolNamed } from "../tools/tools.js";
import { paintProposal } from "../tools/proposal.js";
import { hideCursor, paintCursor } from "./cursor.js";
import { attach, requestDraw } from "./draw.js";
import { handOver, mayDraw } from "./drawing.js";
import { fit, pan, setSizes, toVideo, view, zoom } from "./view.js";

export function activeColor() {
  const { active, newObject } = get();
  const objects = allObjects();
  const object = objects.find((one) => one.id === active);
  return object ? colorOf(object) : (newObject.color ?? suggestedColor(freeId()));
}

function paintTool(context) {
  const { tool } = toolNamed(get().tool);
  paintProposal(context, activeColor());
  tool.paint?.(context, activeColor());
  paintCursor(context);
}

export function Stage() {
  const canvas = useRef(null);
  const [project, tool, frame, status] = useStore((s) => [s.project, s.tool, s.frame, s.toolStatus]);
  useEffect(() => {
    const element = canvas.current;
    const resize = () => {
      const { width, height } = get().project.video;
      setSizes({ width: element.clientWidth, height: element.clientHeight }, { width, height });
      requestDraw();
    };
    fit();
    resize();
    attach(element, paintTool);
    const observer = new ResizeObserver(resize);
    observer.observe(element);
    const remove = listenTo(element);
    return () => {
      observer.disconnect();
      remove();
    };
  }, [project.path]);
  const words = `Frame ${frame} of ${project.name} with its masks`;
  return html`<div class="stage">
    <canvas ref=${canvas} class="stage-canvas tool-${tool}" tabindex="0" role="img" aria-label=${words}></canvas>
    ${status && html`<div class="stage-status" role="status"><span class="spinner"></span>${status}</div>`}
  </div>`;
}

/** The pointer: the left button draws, the middle one or the space bar pans, the divider of the comparison is dragged. */
function listenTo(canvas) {
  let held = null; // "tool", "pan" or "divider"
  let last = [0, 0];
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const tool = () => toolNamed(get().tool).tool;
  const hand = (to, what, ...facts) => handOver(() => to[what]?.(...facts), what === "down");
  const onDivider = ([x]) => {
    const { compare, project } = get();
    return compare !== null && Math.abs(x - view.x - project.video.width * view.scale * compare) < 8;
  };
  const handlers = {
    pointerdown(event) {
      canvas.setPointerCapture(event.pointerId);
      document.activeElement?.blur?.(); // keys belong to the stage now, not to the button that was pressed last
      hideCursor();
      last = at(event);
      held = event.button === 1 || event.shiftKey ? "pan" : onDivider(last) ? "divider" : "tool";
      if (held === "tool") hand(tool(), "down", toVideo(...last), event);
      event.preventDefault();
    },
    pointermove(event) {
      const [x, y] = at(event);
      if (held === "pan") pan(x - last[0], y - last[1]);
      else if (held === "divider") {
        set({ compare: Math.max(0, Math.min(1, toVideo(x, y)[0] / get().project.video.width)) });
      } else {
        // A browser joins several moves into one event; a fast curve needs all of them.
        const all = event.getCoalescedEvents?.() ?? [];
        const points = (all.length ? all : [event]).map((one) => toVideo(...at(one)));
        hand(tool(), "move", points, held === "tool");
      }
      last = [x, y];
      if (held === "pan") requestDraw();
    },
    pointerup() {
      if (held === "tool") hand(tool(), "up");
      held = null;
    },
    pointercancel() {
      handlers.pointerup();
    },
    pointerleave() {
      if (!held) tool().leave?.();
    },
    contextmenu: (event) => event.preventDefault(),
    wheel(event) {
      event.preventDefault();
      const amount = event.deltaY || event.deltaX;
      if (event.shiftKey)
        set({ brushSize: Math.max(0.5, Math.min(400, get().brushSize * (amount > 0 ? 0.88 : 1.14))) });
      else zoom(Math.exp(-Math.max(-120, Math.min(120, amount)) * 0.0022), ...at(event));
      requestDraw();
    },
    dragover: (event) => event.preventDefault(),
    drop(event) {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) dropMask(file).catch(noteError);
    },
  };
  for (const [name, handler] of Object.entries(handlers))
    canvas.addEventListener(name, handler, { passive: false });
  return () => {
    for (const [name, handler] of Object.entries(handlers)) canvas.removeEventListener(name, handler);
  };
}

/** A PNG of ids becomes the masks of its objects in the shown frame; ids that the project lacks are new objects. */
export async function dropMask(file) {
  if (!mayDraw()) return;
  const { project, frame, active } = get();
  const { video } = project;
  const { width, height, ids } = await decodePng(new Uint8Array(await file.arrayBuffer()));
  if (width !== video.width || height !== video.height) {
    return note(
      `${file.name} is ${width}x${height}, but the video is ${video.width}x${video.height}. Scale it first.`,
      "error",
    );
  }
  const present = [...new Set(ids)].filter(Boolean);
  if (!present.length) return note(`${file.name} holds no object: every pixel is 0.`, "error");
  const known = new Set(project.objects.map((object) => object.id));
  for (const id of present) {
    const isForActive = present.length === 1 && active !== "new";
    const record = isForActive ? recordOf(active) : known.has(id) ? recordOf(id) : recordOf(id, {});
    await paint(frame, record, planeOf(ids, id));
  }
  note(`${file.name}: ${present.length} object${present.length > 1 ? "s" : ""} in frame ${frame}.`, "done");
}
