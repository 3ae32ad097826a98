import { STILL_BYTES } from "../shared/guide/wire";

/** A picture that is held still, as it travels. */
const TYPE = "image/jpeg";
const QUALITY = 0.85;
/** Longest side in pixels, tried from the sharpest on until the picture is small enough to send. */
const SIDES = [1920, 1440, 1080, 720] as const;

/** A canvas as a picture that can be sent; null when the browser cannot make one. */
export async function encodeStill(drawn: HTMLCanvasElement): Promise<Uint8Array<ArrayBuffer> | null> {
  for (const side of SIDES) {
    const scale = Math.min(1, side / Math.max(drawn.width, drawn.height));
    const scaled = drawn.ownerDocument.createElement("canvas");
    scaled.width = Math.round(drawn.width * scale);
    scaled.height = Math.round(drawn.height * scale);
    scaled.getContext("2d")?.drawImage(drawn, 0, 0, scaled.width, scaled.height);
    const blob = await new Promise<Blob | null>((resolve) => scaled.toBlob(resolve, TYPE, QUALITY));
    if (blob === null) return null;
    if (blob.size <= STILL_BYTES) return new Uint8Array(await blob.arrayBuffer());
  }
  return null;
}

/** Draws a picture that came, at its own size; what is no picture leaves the canvas as it is. */
export async function drawStill(canvas: HTMLCanvasElement, still: Uint8Array<ArrayBuffer>): Promise<void> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([still], { type: TYPE }));
  } catch {
    return;
  }
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
}
