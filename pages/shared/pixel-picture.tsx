/** A picture at a whole multiple of its size, and what lies over it while it is drawn. */

import { useEffect, useRef } from 'preact/hooks';
import { scaleTo } from './scale.ts';

export interface PixelPictureProps {
  readonly src: string;
  /** The prompt. */
  readonly alt: string;
  /** Of the picture itself, in pixels. */
  readonly width: number;
  readonly height: number;
  /** CSS pixels that it may take each way. */
  readonly room: number;
  readonly loading?: 'lazy' | 'eager';
  /** Whether it can be dragged out of the page: that takes its file along, as it is. */
  readonly isDraggable?: boolean;
}

export function PixelPicture({
  src,
  alt,
  width,
  height,
  room,
  loading = 'eager',
  isDraggable = false,
}: PixelPictureProps) {
  const longer = Math.max(width, height);
  const { size, isEnlarged } = scaleTo(longer, room);
  return (
    <img
      class={isEnlarged ? 'pixels' : undefined}
      src={src}
      alt={alt}
      width={width}
      height={height}
      loading={loading}
      decoding="async"
      draggable={isDraggable}
      style={{ width: `${(size * width) / longer}px`, height: `${(size * height) / longer}px` }}
    />
  );
}

/** Places that are still masked, as a fine checkerboard: nothing is there yet. `masked` is 0 or 1 for each place. */
export function MaskedPlaces({ masked, grid }: { readonly masked: string; readonly grid: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = () => canvas.current && drawPlaces(canvas.current, masked, grid);
    draw();
    return onScheme(draw);
  }, [masked, grid]);
  return <canvas ref={canvas} class="masked pixels" width={2 * grid} height={2 * grid} />;
}

function drawPlaces(canvas: HTMLCanvasElement, masked: string, grid: number): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const { color: even, outlineColor: odd } = getComputedStyle(canvas);
  context.clearRect(0, 0, 2 * grid, 2 * grid);
  for (let place = 0; place < masked.length; place++) {
    if (masked[place] !== '1') continue;
    const [x, y] = [2 * (place % grid), 2 * Math.floor(place / grid)];
    context.fillStyle = odd;
    context.fillRect(x, y, 2, 2);
    context.fillStyle = even;
    context.fillRect(x, y, 1, 1);
    context.fillRect(x + 1, y + 1, 1, 1);
  }
}

/** Calls when light becomes dark or dark light, by the system or by choice. @returns what ends that. */
function onScheme(change: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', change);
  const chosen = new MutationObserver(change);
  chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    system.removeEventListener('change', change);
    chosen.disconnect();
  };
}
