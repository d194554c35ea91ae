/** What is being drawn: pictures on their way, with the places that are still masked. */

import type { Job, Preview } from '../../../src/studio/protocol.ts';
import { MaskedPlaces, PixelPicture } from '../../shared/pixel-picture.tsx';
import { JobHead } from '../job.tsx';
import { isDrawing, model, openJobs, previews } from '../store.ts';
import { counted } from '../words.ts';
import { tileRoom } from './tiles.ts';

/** Candidates beyond these are drawn unseen: a wall of them shows less than a row. */
const MOST = 16;

function Frames({ preview, side }: { readonly preview: Preview; readonly side: number }) {
  return (
    <ul class="tiles">
      {preview.frames.slice(0, MOST).map(({ png, masked, seed, prompt }, i) => (
        <li key={preview.first + i} class="tile live" title={`seed ${seed}`}>
          <PixelPicture
            src={`data:image/png;base64,${png}`}
            alt={prompt}
            width={side}
            height={side}
            room={tileRoom.value}
          />
          <MaskedPlaces masked={masked} grid={preview.grid} />
        </li>
      ))}
    </ul>
  );
}

function LiveJob({ job }: { readonly job: Job }) {
  const preview = previews.value.get(job.id);
  const side = model.value?.imageSize ?? 64;
  return (
    <li class="live-job">
      <JobHead job={job} />
      {job.notes.map((note) => (
        <p key={note} class="hint">
          {note}
        </p>
      ))}
      {preview && <Frames preview={preview} side={side} />}
    </li>
  );
}

export function Live() {
  const drawn = openJobs.value.filter(isDrawing);
  if (drawn.length === 0) return null;
  const begun = drawn.filter(({ state }) => state !== 'waiting');
  const waiting = drawn.filter(({ state }) => state === 'waiting');
  return (
    <section aria-label="Being drawn">
      <ol class="live-jobs">
        {begun.map((job) => (
          <LiveJob key={job.id} job={job} />
        ))}
      </ol>
      {waiting.length > 0 && (
        <p class="hint waiting">
          {counted(waiting.length, 'job waits', 'jobs wait')} in the queue:{' '}
          {waiting
            .slice(0, 3)
            .map(({ title }) => title)
            .join(', ')}
          {waiting.length > 3 ? ', …' : ''}
        </p>
      )}
    </section>
  );
}
