/** How large small pictures are shown: each of their pixels takes a whole number of the screen's. */

export interface Scale {
  /** Side in CSS pixels. */
  readonly size: number;
  /** Whether the picture's pixels are enlarged, and so should stay square and sharp. */
  readonly isEnlarged: boolean;
}

/** The largest whole enlargement of `side` within `room` CSS pixels; larger pictures are fitted into it. */
export function scaleTo(side: number, room: number, density = globalThis.devicePixelRatio || 1): Scale {
  const times = Math.floor((room * density) / side + 1e-6);
  return times >= 1 ? { size: (side * times) / density, isEnlarged: times > 1 } : { size: room, isEnlarged: false };
}

/** The side of a tile of about `wanted` CSS pixels, as many of which stand in a row as fit `width`. */
export function tileIn(width: number, wanted: number, gap: number): number {
  const columns = Math.max(1, Math.floor((width + gap) / (wanted + gap)));
  return (width - gap * (columns - 1)) / columns;
}
