// Fill: one click gives a whole connected region to the object, such as the hole in an outline that was brushed.

import { note } from "../core/notes.js";
import { region } from "../core/raster.js";
import { beginDrawing, cancelDrawing, drawing, endDrawing, videoSize } from "../stage/drawing.js";
import { requestDraw } from "../stage/draw.js";
import { isInside } from "../stage/view.js";

export const fill = {
  down(point) {
    if (!isInside(point)) return;
    const begun = beginDrawing();
    if (!begun) return;
    const { ids, map } = begun;
    const [width, height] = videoSize();
    const found = region(ids, [width, height], point);
    if (ids[found[0]] === 0 && found.length > (width * height) / 2) {
      cancelDrawing();
      return note(
        "This region is not closed: it is more than half of the frame. Close the outline with the brush first.",
      );
    }
    for (const i of found) ids[i] = map[ids[i]];
    drawing.ids = ids;
    endDrawing();
    requestDraw();
  },
};
