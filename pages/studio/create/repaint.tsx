/** A part of a picture is drawn anew: the part is painted with a brush, or chosen with the arrow keys. */

import { useSignal } from '@preact/signals';
import type { Picture, StudioState } from '../../../src/studio/protocol.ts';
import { Dialog, DialogButton } from '../dialog.tsx';
import { form } from '../form.ts';
import { model } from '../store.ts';
import { say } from '../toasts.tsx';
import { counted } from '../words.ts';
import { Brush } from './brush.tsx';
import { NumberField } from './setting.tsx';
import { draw, drawingOf } from './vary.tsx';

interface Props {
  readonly state: StudioState;
  readonly picture: Picture;
}

export function RepaintButton({ state, picture }: Props) {
  return (
    <DialogButton label="Repaint …">
      {(onClose) => <RepaintDialog state={state} picture={picture} onClose={onClose} />}
    </DialogButton>
  );
}

function RepaintDialog({ state, picture, onClose }: Props & { readonly onClose: () => void }) {
  const grid = model.value?.grid ?? state.model.grid;
  const mask = useSignal<readonly boolean[]>(Array.from({ length: grid * grid }, () => false));
  const words = useSignal(picture.settings ? picture.prompt : '');
  const count = useSignal(form.value.count);
  const size = useSignal(Math.max(1, Math.round(grid / 5)));
  const isErasing = useSignal(false);
  /** Masks before the last strokes. */
  const past = useSignal<readonly (readonly boolean[])[]>([]);
  const painted = mask.value.filter(Boolean).length;
  const remember = () => {
    past.value = [...past.value, mask.value];
  };
  const undo = () => {
    mask.value = past.value.at(-1) ?? mask.value;
    past.value = past.value.slice(0, -1);
  };
  const fill = (of: (place: boolean) => boolean) => {
    remember();
    mask.value = mask.value.map(of);
  };
  const start = async () => {
    if (painted === 0) return say('Paint over what should be drawn anew first');
    const text = words.value.trim();
    const isStarted = await draw(
      {
        kind: 'repaint',
        picture: picture.id,
        mask: mask.value.map((isPainted) => (isPainted ? '1' : '0')).join(''),
        count: count.value,
        ...(text !== '' && { prompt: text }),
        ...drawingOf(state, picture),
      },
      `${counted(count.value, 'repainting')} in the queue`,
    );
    if (isStarted) onClose();
  };
  return (
    <Dialog title="Repaint" isWide onClose={onClose}>
      <div class="repaint">
        <Brush
          picture={picture}
          grid={grid}
          mask={mask}
          size={size.value}
          isErasing={isErasing.value}
          onStroke={remember}
        />
        <div class="repaint-side">
          <p class="hint">
            Paint over what should be drawn anew; the rest stays. With the keyboard: arrows move, the space bar paints.
          </p>
          <div class="row wrap">
            <button
              type="button"
              class="button"
              aria-pressed={isErasing.value}
              onClick={() => {
                isErasing.value = !isErasing.value;
              }}
            >
              Erase
            </button>
            <button type="button" class="button" aria-disabled={past.value.length === 0} onClick={undo}>
              Undo
            </button>
            <button type="button" class="button" onClick={() => fill(() => false)}>
              Clear
            </button>
            <button type="button" class="button" onClick={() => fill((isPainted) => !isPainted)}>
              Invert
            </button>
          </div>
          <NumberField
            id="brush-size"
            title="Brush"
            hint={`Its width in places; the picture has ${grid} × ${grid}.`}
            value={size.value}
            least={1}
            most={grid}
            sliderMost={Math.ceil(grid / 2)}
            step={1}
            onInput={(value) => {
              size.value = value;
            }}
          />
          <div class="field">
            <label for="repaint-words">What the picture shows</label>
            <textarea
              id="repaint-words"
              rows={2}
              maxLength={state.limits.prompt}
              value={words.value}
              onInput={({ currentTarget }) => {
                words.value = currentTarget.value;
              }}
            />
          </div>
          <NumberField
            id="repaint-count"
            title="Count"
            hint="Repaintings, each with a seed of its own."
            value={count.value}
            least={1}
            most={state.limits.pictures}
            sliderMost={16}
            step={1}
            onInput={(value) => {
              count.value = value;
            }}
          />
          <p class="hint numbers" role="status">
            {painted} of {grid * grid} places are drawn anew
          </p>
          <button type="button" class="button primary" onClick={() => void start()}>
            Repaint
          </button>
        </div>
      </div>
    </Dialog>
  );
}
