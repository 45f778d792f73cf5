// Drawing into arrays of ids: disks along a line, polygons, connected regions.
//
// Each takes a `map` of 256 entries, old id -> new id. A brush maps everything to its object, except ids that are
// protected; an eraser maps its object to 0 and everything else to itself. All return the rectangle that they touched,
// [x0, y0, x1, y1] with x1 and y1 outside, or null.

/** What a brush for `id` does to each id; those in `protect` stay. */
export function brushMap(id, protect) {
  return Uint8Array.from({ length: 256 }, (_, old) => (protect[old] ? old : id));
}

export function eraserMap(id) {
  return Uint8Array.from({ length: 256 }, (_, old) => (old === id ? 0 : old));
}

/** All pixels no farther than `radius` from the line between two points. A pixel's centre is at +0.5. */
export function drawCapsule(ids, [width, height], [ax, ay], [bx, by], radius, map) {
  const rect = clip(
    [
      Math.min(ax, bx) - radius,
      Math.min(ay, by) - radius,
      Math.max(ax, bx) + radius,
      Math.max(ay, by) + radius,
    ],
    width,
    height,
  );
  if (!rect) return null;
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const limit = Math.max(radius * radius, 0.5);
  for (let y = rect[1]; y < rect[3]; y++) {
    for (let x = rect[0]; x < rect[2]; x++) {
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
      const [qx, qy] = [px - along * dx, py - along * dy];
      if (qx * qx + qy * qy <= limit) ids[y * width + x] = map[ids[y * width + x]];
    }
  }
  return rect;
}

/** The inside of a polygon by the even-odd rule, at the centres of pixels. */
export function drawPolygon(ids, [width, height], points, map) {
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const rect = clip([Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)], width, height);
  if (!rect) return null;
  for (let y = rect[1]; y < rect[3]; y++) {
    const crossings = [];
    for (let i = 0; i < points.length; i++) {
      const [ax, ay] = points[i];
      const [bx, by] = points[(i + 1) % points.length];
      if (ay <= y + 0.5 !== by <= y + 0.5) crossings.push(ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const [first, last] = [
        Math.max(rect[0], Math.ceil(crossings[i] - 0.5)),
        Math.min(rect[2], Math.ceil(crossings[i + 1] - 0.5)),
      ];
      for (let x = first; x < last; x++) ids[y * width + x] = map[ids[y * width + x]];
    }
  }
  return rect;
}

/** The pixels that are connected to (x, y) and have the same id: their indices. */
export function region(ids, [width, height], [x, y]) {
  const start = Math.floor(y) * width + Math.floor(x);
  const id = ids[start];
  const seen = new Uint8Array(width * height);
  const found = [start];
  seen[start] = 1;
  for (let at = 0; at < found.length; at++) {
    const i = found[at];
    const column = i % width;
    for (const next of [column > 0 ? i - 1 : -1, column < width - 1 ? i + 1 : -1, i - width, i + width]) {
      if (next < 0 || next >= ids.length || seen[next] || ids[next] !== id) continue;
      seen[next] = 1;
      found.push(next);
    }
  }
  return found;
}

/** Put an object's new mask into `ids`: where `plane` is set by `map`, and nowhere else. */
export function drawPlane(ids, id, plane, map) {
  for (let i = 0; i < ids.length; i++) {
    if (plane[i]) ids[i] = map[ids[i]];
    else if (ids[i] === id) ids[i] = 0;
  }
}

export const planeOf = (ids, id) => ids.map((value) => (value === id ? 1 : 0));

export function clip([x0, y0, x1, y1], width, height) {
  const rect = [
    Math.max(0, Math.floor(x0)),
    Math.max(0, Math.floor(y0)),
    Math.min(width, Math.ceil(x1) + 1),
    Math.min(height, Math.ceil(y1) + 1),
  ];
  return rect[0] < rect[2] && rect[1] < rect[3] ? rect : null;
}

export function united(a, b) {
  if (!a || !b) return a ?? b;
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
