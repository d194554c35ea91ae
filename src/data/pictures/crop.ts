/** Which part of a picture becomes the square that a network sees. */

/**
 * A part of a picture in its pixels. Edges may lie between pixels, and beyond the picture, where the background begins.
 */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Chooses what to keep of a picture of that size, its orientation already applied: a square. */
export type Crop = (width: number, height: number) => Rectangle;

/** The middle square, exactly: of 641x480 it begins at 80.5. */
export const middleSquare: Crop = (width, height) => {
  const side = Math.min(width, height);
  return { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side };
};

/** The whole picture in the middle of a square. */
export const wholePicture: Crop = (width, height) => {
  const side = Math.max(width, height);
  return { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side };
};
