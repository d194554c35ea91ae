/** Paints places of the grid over a picture, by pointer or by keys. */

import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Picture } from '../../../src/studio/protocol.ts';
import { MaskedPlaces, PixelPicture } from '../../shared/pixel-picture.tsx';
import { scaleTo } from '../../shared/scale.ts';
import { pictureUrl } from '../api.ts';

interface BrushProps {
  readonly picture: Picture;
  readonly grid: number;
  /** For every place whether it is painted, row by row. */
  readonly mask: Signal<readonly boolean[]>;
  /** In places. */
  readonly size: number;
  readonly isErasing: boolean;
  /** Called before a stroke. */
  readonly onStroke: () => void;
}

interface Place {
  readonly x: number;
  readonly y: number;
}

const MOVES: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** The mask with a round spot of so many places across laid on it. */
export function painted(
  mask: readonly boolean[],
  grid: number,
  { x, y }: Place,
  size: number,
  value: boolean,
): boolean[] {
  const radius = size / 2;
  const shift = size % 2 === 0 ? 0.5 : 0;
  return mask.map((old, place) => {
    const [dx, dy] = [(place % grid) - x + shift, Math.floor(place / grid) - y + shift];
    return Math.hypot(dx, dy) < Math.max(0.6, radius) ? value : old;
  });
}

/** Every place on the way from one to another, so that a quick stroke has no holes. */
function line(from: Place, to: Place): Place[] {
  const steps = Math.max(1, Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  return Array.from({ length: steps }, (_, i) => ({
    x: Math.round(from.x + ((to.x - from.x) * (i + 1)) / steps),
    y: Math.round(from.y + ((to.y - from.y) * (i + 1)) / steps),
  }));
}

export function Brush({ picture, grid, mask, size, isErasing, onStroke }: BrushProps) {
  const surface = useRef<HTMLButtonElement>(null);
  const cursor = useSignal<Place>({ x: Math.floor(grid / 2), y: Math.floor(grid / 2) });
  const last = useRef<Place | undefined>(undefined);
  const room = Math.min(512, innerWidth - 64, Math.max(256, innerHeight - 220));
  const { size: side } = scaleTo(picture.width, room);

  const paint = (places: readonly Place[]) => {
    let next = mask.value;
    for (const place of places) next = painted(next, grid, place, size, !isErasing);
    mask.value = next;
  };
  const placeOf = ({ clientX, clientY }: PointerEvent): Place => {
    const box = surface.current!.getBoundingClientRect();
    const within = (share: number) => Math.min(grid - 1, Math.max(0, Math.floor(share * grid)));
    return { x: within((clientX - box.left) / box.width), y: within((clientY - box.top) / box.height) };
  };
  const onPointerMove = (event: PointerEvent) => {
    const place = placeOf(event);
    cursor.value = place;
    if (!last.current) return;
    paint(line(last.current, place));
    last.current = place;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (move) {
      const within = (value: number) => Math.min(grid - 1, Math.max(0, value));
      cursor.value = { x: within(cursor.value.x + move.x), y: within(cursor.value.y + move.y) };
    } else if (event.key === ' ' || event.key === 'Enter') {
      onStroke();
      paint([cursor.value]);
    } else return;
    event.preventDefault();
  };
  // A finger paints and does not scroll.
  useEffect(() => {
    const stop = (event: TouchEvent) => event.preventDefault();
    const element = surface.current;
    element?.addEventListener('touchmove', stop, { passive: false });
    return () => element?.removeEventListener('touchmove', stop);
  }, []);

  const { x, y } = cursor.value;
  const width = (size / grid) * side;
  const offset = size % 2 === 0 ? 0 : 0.5;
  return (
    <button
      ref={surface}
      type="button"
      class="brush"
      style={{ width: `${side}px`, height: `${side}px` }}
      aria-label={`Picture to paint on, column ${x + 1}, row ${y + 1}, ${mask.value[y * grid + x] ? 'painted' : 'not painted'}`}
      onPointerDown={(event) => {
        surface.current?.setPointerCapture(event.pointerId);
        last.current = placeOf(event);
        cursor.value = last.current;
        onStroke();
        paint([last.current]);
      }}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        last.current = undefined;
      }}
      onKeyDown={onKeyDown}
    >
      <PixelPicture
        src={pictureUrl(picture.id)}
        alt={picture.prompt}
        width={picture.width}
        height={picture.height}
        room={room}
      />
      <MaskedPlaces masked={mask.value.map((isPainted) => (isPainted ? '1' : '0')).join('')} grid={grid} />
      <span
        class="brush-cursor"
        style={{
          width: `${width}px`,
          height: `${width}px`,
          left: `${((x + offset) / grid) * side - width / 2}px`,
          top: `${((y + offset) / grid) * side - width / 2}px`,
        }}
      />
    </button>
  );
}
