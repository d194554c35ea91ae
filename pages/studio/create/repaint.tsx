/** A part of a picture is drawn anew: the part is painted with a brush, or chosen with the arrow keys. */

import { type Signal, useSignal } from '@preact/signals';
import type { Picture, StudioState } from '../../../src/studio/protocol.ts';
import { Dialog, DialogButton } from '../dialog.tsx';
import { form } from '../form.ts';
import { into } from '../into.ts';
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

/** For every place of the grid whether it is painted, row by row. */
type Mask = readonly boolean[];

/** A mask, and the masks before its last strokes. */
interface Painting {
  readonly mask: Signal<Mask>;
  readonly past: Signal<readonly Mask[]>;
}

const remember = ({ mask, past }: Painting): void => {
  past.value = [...past.value, mask.value];
};

function undo({ mask, past }: Painting): void {
  mask.value = past.value.at(-1) ?? mask.value;
  past.value = past.value.slice(0, -1);
}

function RepaintDialog({ state, picture, onClose }: Props & { readonly onClose: () => void }) {
  const grid = model.value?.grid ?? state.model.grid;
  const painting: Painting = { mask: useSignal<Mask>(Array(grid * grid).fill(false)), past: useSignal([]) };
  const size = useSignal(Math.max(1, Math.round(grid / 5)));
  const isErasing = useSignal(false);
  return (
    <Dialog title="Repaint" isWide onClose={onClose}>
      <div class="repaint">
        <Brush
          picture={picture}
          grid={grid}
          mask={painting.mask}
          size={size.value}
          isErasing={isErasing.value}
          onStroke={() => remember(painting)}
        />
        <div class="repaint-side">
          <p class="hint">
            Paint over what should be drawn anew; the rest stays. With the keyboard: arrows move, the space bar paints.
          </p>
          <PaintingTools painting={painting} isErasing={isErasing} />
          <NumberField
            id="brush-size"
            title="Brush"
            hint={`Its width in places; the picture has ${grid} × ${grid}.`}
            value={size.value}
            least={1}
            most={grid}
            sliderMost={Math.ceil(grid / 2)}
            step={1}
            onInput={into(size)}
          />
          <Order state={state} picture={picture} mask={painting.mask.value} onStarted={onClose} />
        </div>
      </div>
    </Dialog>
  );
}

interface ToolsProps {
  readonly painting: Painting;
  readonly isErasing: Signal<boolean>;
}

function PaintingTools({ painting, isErasing }: ToolsProps) {
  const { mask, past } = painting;
  const fill = (of: (isPainted: boolean) => boolean) => {
    remember(painting);
    mask.value = mask.value.map(of);
  };
  return (
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
      <button type="button" class="button" aria-disabled={past.value.length === 0} onClick={() => undo(painting)}>
        Undo
      </button>
      <button type="button" class="button" onClick={() => fill(() => false)}>
        Clear
      </button>
      <button type="button" class="button" onClick={() => fill((isPainted) => !isPainted)}>
        Invert
      </button>
    </div>
  );
}

interface OrderProps extends Props {
  readonly mask: Mask;
  readonly onStarted: () => void;
}

/** What the painted places should show, how often, and the button that puts it in the queue. */
function Order({ state, picture, mask, onStarted }: OrderProps) {
  const words = useSignal(picture.settings ? picture.prompt : '');
  const count = useSignal(form.value.count);
  const painted = mask.filter(Boolean).length;
  const start = async () => {
    if (painted === 0) return say('Paint over what should be drawn anew first');
    const text = words.value.trim();
    const isStarted = await draw(
      {
        kind: 'repaint',
        picture: picture.id,
        mask: mask.map((isPainted) => (isPainted ? '1' : '0')).join(''),
        count: count.value,
        ...(text !== '' && { prompt: text }),
        ...drawingOf(state, picture),
      },
      `${counted(count.value, 'repainting')} in the queue`,
    );
    if (isStarted) onStarted();
  };
  return (
    <>
      <div class="field">
        <label for="repaint-words">What the picture shows</label>
        <textarea
          id="repaint-words"
          rows={2}
          maxLength={state.limits.prompt}
          value={words.value}
          onInput={({ currentTarget }) => into(words)(currentTarget.value)}
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
        onInput={into(count)}
      />
      <p class="hint numbers" role="status">
        {painted} of {mask.length} places are drawn anew
      </p>
      <button type="button" class="button primary" onClick={() => void start()}>
        Repaint
      </button>
    </>
  );
}
