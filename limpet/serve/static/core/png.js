// Indexed PNGs as arrays of ids, and back.
//
// A canvas gives colours, and a browser may change them on the way (colour profiles, alpha that is multiplied in). Ids
// have to be exact, so that the file is read here: chunks, inflate by the browser itself, and the five filters of the
// PNG specification (https://www.w3.org/TR/png-3/#9Filters).

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;
const INDEXED = 3;

/**
 * Read a PNG of ids: indexed or grey, of 1 to 8 bits, not interlaced.
 *
 * @param {Uint8Array} bytes the file
 * @returns {Promise<{width: number, height: number, ids: Uint8Array}>} ids in rows
 */
export async function decodePng(bytes) {
  if (SIGNATURE.some((value, i) => bytes[i] !== value)) throw new Error("This file is not a PNG.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header = null;
  const data = [];
  for (let at = 8; at + 8 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") header = readHeader(body);
    if (type === "IDAT") data.push(body);
    at += length + 12;
  }
  const rows = await piped(data, new DecompressionStream("deflate"));
  return { width: header.width, height: header.height, ids: unfilter(rows, header) };
}

function readHeader(body) {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [depth, kind, , , interlaced] = body.subarray(8, 13);
  if ((kind !== GREY && kind !== INDEXED) || depth > 8 || interlaced) {
    throw new Error(
      "This PNG has colours. A mask is an indexed or grey 8-bit PNG whose values are the ids of objects.",
    );
  }
  return { width: view.getUint32(0), height: view.getUint32(4), depth };
}

function unfilter(rows, { width, height, depth }) {
  const stride = Math.ceil((width * depth) / 8);
  const ids = new Uint8Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    const line = rows.subarray(start + 1, start + 1 + stride);
    undo(rows[start], line, above);
    if (depth === 8) ids.set(line, y * width);
    else unpack(line, depth, ids.subarray(y * width, (y + 1) * width));
    above = line;
  }
  return ids;
}

/** Undo one row's filter, in place. A pixel is at most one byte, so that "left" is the byte before. */
function undo(filter, line, above) {
  for (let x = 0; filter && x < line.length; x++) {
    const left = x ? line[x - 1] : 0;
    const corner = x ? above[x - 1] : 0;
    if (filter === 1) line[x] += left;
    else if (filter === 2) line[x] += above[x];
    else if (filter === 3) line[x] += (left + above[x]) >> 1;
    else line[x] += paeth(left, above[x], corner);
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function unpack(line, depth, out) {
  const perByte = 8 / depth;
  for (let x = 0; x < out.length; x++) {
    const shift = 8 - depth * ((x % perByte) + 1);
    out[x] = (line[Math.floor(x / perByte)] >> shift) & ((1 << depth) - 1);
  }
}

/** Ids as an 8-bit indexed PNG. The colours in it are greys: the server writes its own palette. */
export async function encodePng(ids, width, height) {
  const rows = new Uint8Array((width + 1) * height); // filter 0 before each row
  for (let y = 0; y < height; y++) rows.set(ids.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, INDEXED, 0, 0, 0], 8);
  const palette = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  const data = await piped([rows], new CompressionStream("deflate"));
  const parts = [
    chunk("IHDR", header),
    chunk("PLTE", palette),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array(0)),
  ];
  return joined([Uint8Array.from(SIGNATURE), ...parts]);
}

function chunk(type, body) {
  const whole = new Uint8Array(body.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) whole[4 + i] = type.charCodeAt(i);
  whole.set(body, 8);
  view.setUint32(body.length + 8, checksum(whole.subarray(4, body.length + 8)));
  return whole;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

async function piped(parts, stream) {
  return new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(stream)).arrayBuffer());
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function toBase64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
