/** Pictures, the newest first; before them the one that is being drawn. */

import { useEffect, useRef } from 'preact/hooks';
import type { Facts, FrameMessage } from './protocol.ts';

export interface Picture {
  readonly id: number;
  readonly prompt: string;
  readonly seed: number;
  /** Of the PNG file. */
  readonly url: string;
}

interface GalleryProps {
  readonly facts: Facts;
  readonly pictures: readonly Picture[];
  readonly drawing: { readonly prompt: string; readonly frame: FrameMessage | undefined } | undefined;
}

export function Gallery({ facts, pictures, drawing }: GalleryProps) {
  if (pictures.length === 0 && !drawing)
    return <p class="empty hint">Pictures will appear here. Describe one and press Create.</p>;
  return (
    <ul class="pictures" aria-label="Results" style={sizes(facts.side)}>
      {drawing && (
        <li class="picture" key="drawing">
          <Preview facts={facts} frame={drawing.frame} />
          <p class="hint numbers">{drawing.frame ? `Seed ${drawing.frame.seed}` : ' '}</p>
        </li>
      )}
      {pictures.map(({ id, prompt, seed, url }) => (
        <li class="picture" key={id}>
          <img class="pixels" src={url} alt={prompt} width={facts.side} height={facts.side} />
          <p class="hint numbers caption">
            <span>Seed {seed}</span>
            <a href={url} download={fileName(prompt, seed)} aria-label={`Download ${prompt}, seed ${seed}`}>
              Download
            </a>
          </p>
        </li>
      ))}
    </ul>
  );
}

/** The picture as it would be now, dimmed where places are still masked. */
function Preview({
  facts: { side, grid },
  frame,
}: {
  readonly facts: Facts;
  readonly frame: FrameMessage | undefined;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    if (!frame) return context.clearRect(0, 0, side, side);
    const image = context.createImageData(side, side);
    const cell = side / grid;
    for (let i = 0; i < side * side; i++) {
      const place = Math.floor(Math.floor(i / side) / cell) * grid + Math.floor((i % side) / cell);
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = frame.pixels[3 * i + c]!;
      image.data[4 * i + 3] = frame.masked[place] ? 90 : 255;
    }
    context.putImageData(image, 0, 0);
  }, [frame, side, grid]);
  return <canvas class="pixels" ref={canvas} width={side} height={side} role="img" aria-label="The picture so far" />;
}

/**
 * Whole multiples of the pictures' own size, so that their pixels stay square: one for wide windows, one for narrow.
 */
function sizes(side: number): Record<string, string> {
  const multiple = (most: number) => side * Math.max(1, Math.floor(most / side));
  return { '--wide': `${multiple(220)}px`, '--narrow': `${multiple(156)}px` };
}

const fileName = (prompt: string, seed: number): string => {
  const words = prompt.replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-+|-+$/g, '');
  return `${words.slice(0, 60) || 'picture'}-${seed}.png`;
};
