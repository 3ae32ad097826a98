/** A place in a picture: 0, 0 is its upper left corner and 1, 1 its lower right, at whatever size it is shown. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** In the units of whatever it lies in, usually CSS pixels. */
export interface Rect extends Size {
  readonly left: number;
  readonly top: number;
}

/** Steps of a coordinate on the wire: on a picture of 4096 pixels a sixteenth of a pixel. */
export const STEPS = 65_535;

/** Where a picture lies in a box that shows all of it (`object-fit: contain`); nothing if either is empty. */
export function letterbox(picture: Size, box: Size): Rect | null {
  if (!(picture.width > 0 && picture.height > 0 && box.width > 0 && box.height > 0)) return null;
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { left: (box.width - width) / 2, top: (box.height - height) / 2, width, height };
}

/** A page of this size inside a captured picture of that one, as a place of the page's own units. A browser that
 * captures a tab into a picture of other proportions puts bars around it; the picture is then larger than the page. */
export function pictureAround(page: Size, picture: Size): Rect | null {
  const inside = letterbox(page, picture);
  if (inside === null) return null;
  const scale = page.width / inside.width;
  return {
    left: -inside.left * scale,
    top: -inside.top * scale,
    width: picture.width * scale,
    height: picture.height * scale,
  };
}

/** From the box's units to the picture's; null outside of the picture (in its bars). */
export function toPicture(place: { readonly left: number; readonly top: number }, picture: Rect): Point | null {
  const x = (place.left - picture.left) / picture.width;
  const y = (place.top - picture.top) / picture.height;
  return x >= 0 && x <= 1 && y >= 0 && y <= 1 ? { x, y } : null;
}

/** As `toPicture`, but what lies outside becomes the nearest place inside: for a line that leaves the picture. */
export function toPictureClamped(place: { readonly left: number; readonly top: number }, picture: Rect): Point {
  return {
    x: clamp((place.left - picture.left) / picture.width),
    y: clamp((place.top - picture.top) / picture.height),
  };
}

export function fromPicture(point: Point, picture: Rect): { left: number; top: number } {
  return { left: picture.left + point.x * picture.width, top: picture.top + point.y * picture.height };
}

/** What the other side will have after the wire. */
export function quantised(point: Point): Point {
  return { x: Math.round(clamp(point.x) * STEPS) / STEPS, y: Math.round(clamp(point.y) * STEPS) / STEPS };
}

function clamp(value: number): number {
  return value >= 0 ? Math.min(1, value) : 0; // NaN becomes 0
}
