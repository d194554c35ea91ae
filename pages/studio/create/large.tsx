/** The picture that is looked at, as large as the window. */

import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Picture } from '../../../src/studio/protocol.ts';
import { PixelPicture } from '../../shared/pixel-picture.tsx';
import { pictureUrl } from '../api.ts';
import { selected } from '../gallery.ts';
import { Steps } from './steps.tsx';

const isLarge = signal(false);

export const showLarge = (): void => {
  isLarge.value = true;
};

/** What stands below the picture, in CSS pixels. */
const FOOT = 64;
const roomHere = (): number => Math.max(64, Math.min(innerWidth - 32, innerHeight - FOOT - 32));

function Large({ picture: { id, prompt, width, height } }: { readonly picture: Picture }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const room = useSignal(roomHere());
  useEffect(() => {
    dialog.current?.showModal();
    const measure = () => {
      room.value = roomHere();
    };
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, []);
  return (
    <dialog
      ref={dialog}
      class="large"
      aria-label="Large picture"
      onClose={() => {
        isLarge.value = false;
      }}
    >
      <div class="large-inside">
        <PixelPicture
          key={id}
          src={pictureUrl(id)}
          alt={prompt}
          width={width}
          height={height}
          room={room.value}
          isDraggable
        />
        <div class="row spread">
          <p class="large-prompt">{prompt}</p>
          <span class="row tight">
            <Steps />
            <button type="button" class="button quiet" onClick={() => dialog.current?.close()}>
              Close
            </button>
          </span>
        </div>
      </div>
    </dialog>
  );
}

export function LargeView() {
  const picture = selected.value;
  return isLarge.value && picture ? <Large picture={picture} /> : null;
}
