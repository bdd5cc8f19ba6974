// The frame of an extended picture: where its sides are, and how far they may be pulled.

export const SIDES = ["left", "top", "right", "bottom"];
export const FURTHEST = 2048;
export const STEP = 8; // models draw in cells of eight pixels

export function framed(picture, sides) {
  const { left = 0, top = 0, right = 0, bottom = 0 } = sides ?? {};
  return { left: -left, top: -top, width: picture.width + left + right, height: picture.height + top + bottom };
}

framed.middle = (frame, side) => ({
  x: side === "left" ? frame.left : side === "right" ? frame.left + frame.width : frame.left + frame.width / 2,
  y: side === "top" ? frame.top : side === "bottom" ? frame.top + frame.height : frame.top + frame.height / 2,
  upright: side === "left" || side === "right",
});

// The side whose line is within `reach` of a place, or null.
export function sideAt({ x, y }, frame, reach) {
  const inside = { x: x > frame.left - reach && x < frame.left + frame.width + reach, y: y > frame.top - reach && y < frame.top + frame.height + reach };
  const away = {
    left: inside.y ? Math.abs(x - frame.left) : Infinity,
    right: inside.y ? Math.abs(x - frame.left - frame.width) : Infinity,
    top: inside.x ? Math.abs(y - frame.top) : Infinity,
    bottom: inside.x ? Math.abs(y - frame.top - frame.height) : Infinity,
  };
  const nearest = SIDES.reduce((one, other) => (away[other] < away[one] ? other : one));
  return away[nearest] <= reach ? nearest : null;
}

// How many pixels a side is pulled out when its line is dragged to a place.
export function pulled(side, { x, y }, picture) {
  const out = { left: -x, top: -y, right: x - picture.width, bottom: y - picture.height }[side];
  return Math.min(FURTHEST, Math.max(0, Math.round(out / STEP) * STEP));
}
