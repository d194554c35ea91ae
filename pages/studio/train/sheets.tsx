/** Sample sheets through time: the same pictures and prompts, as training went on. */

import { useSignal } from '@preact/signals';
import type { SheetFacts } from '../../../src/studio/protocol.ts';
import { whole } from '../words.ts';

export function Sheets({ run, sheets }: { readonly run: string; readonly sheets: readonly SheetFacts[] }) {
  // Undefined: the newest, also when a newer one comes.
  const chosen = useSignal<number | undefined>(undefined);
  const last = sheets.length - 1;
  const at = Math.min(chosen.value ?? last, last);
  const sheet = sheets[at];
  if (!sheet) return null;
  const name = `${sheet.stage}, step ${whole(sheet.step)}`;
  return (
    <section class="block" aria-label="Sample sheets">
      <div class="row spread">
        <h2>Samples</h2>
        <p class="hint numbers" role="status">
          {name}
        </p>
      </div>
      <img class="sheet" src={`/api/runs/${run}/sheets/${encodeURIComponent(sheet.name)}`} alt={`Samples of ${name}`} />
      {last > 0 && (
        <input
          type="range"
          min={0}
          max={last}
          step={1}
          value={at}
          aria-label="Sheet through time"
          aria-valuetext={name}
          onInput={({ currentTarget: { valueAsNumber } }) => {
            chosen.value = valueAsNumber === last ? undefined : valueAsNumber;
          }}
        />
      )}
    </section>
  );
}
