// Looking at a picture without sending it: what it is, how large, and a small copy to show.

import { kindOf } from "./words.js";

const EDGE = 192;
const HEAD = 65_536; // bytes, in which an animation says that it is one

/** `{kind, bytes, width, height, broken, clear, moves, thumb}`: as `refusal` wants it. Sizes as the
 * picture is seen, its orientation applied; null where it cannot be read. `clear`: parts of it are
 * certainly transparent; what is not seen in the small copy is for the server to find. `moves`: it is
 * an animation. Never throws. */
export async function look(file, limits) {
  const facts = {
    kind: null,
    bytes: file.size,
    width: null,
    height: null,
    broken: false,
    clear: false,
    moves: false,
    thumb: null,
  };
  try {
    const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
    facts.kind = kindOf(head);
    facts.moves = isAnimation(head, facts.kind);
  } catch {
    return facts; // a folder, or a file that is gone meanwhile
  }
  if (!facts.kind || facts.bytes > limits.bytes) return facts;
  const address = URL.createObjectURL(file);
  try {
    const picture = new Image();
    picture.src = address;
    await loaded(picture);
    facts.width = picture.naturalWidth;
    facts.height = picture.naturalHeight;
    // Drawing decodes all of it; a picture that is refused anyway is not worth the memory.
    if (facts.width * facts.height <= limits.input_pixels) Object.assign(facts, await small(picture));
  } catch {
    facts.broken = true;
  } finally {
    URL.revokeObjectURL(address);
  }
  return facts;
}

// The flag of WebP's extended header; APNG's chunk, which comes before the pixels.
function isAnimation(head, kind) {
  const text = new TextDecoder("latin1").decode(head);
  if (kind === "webp") return text.startsWith("VP8X", 12) && Boolean(head[20] & 2);
  return kind === "png" && text.split("IDAT")[0].includes("acTL");
}

// Not `picture.decode()`: that would decode pictures of any size.
const loaded = (picture) =>
  new Promise((resolve, reject) => {
    picture.onload = resolve;
    picture.onerror = reject;
  });

async function small(picture) {
  const { naturalWidth: width, naturalHeight: height } = picture;
  const side = Math.min(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.min(EDGE, side);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  const clear = isClear(pen, canvas.width);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  return { thumb: blob && URL.createObjectURL(blob), clear };
}

// Without the rim: there, scaling itself lets something shine through.
function isClear(pen, side) {
  if (side < 8) return false;
  const { data } = pen.getImageData(2, 2, side - 4, side - 4);
  return data.some((value, index) => index % 4 === 3 && value < 250);
}
