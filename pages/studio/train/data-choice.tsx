/** Which pictures: drawn by the program, from a folder under the roots, or uploaded. */

import { type Signal, useSignal } from '@preact/signals';
import type { DataEntry, DataFolder, DataList, StudioState } from '../../../src/studio/protocol.ts';
import { remove, upload } from '../api.ts';
import { useLoaded } from '../loaded.ts';
import { attempt, fail, say } from '../toasts.tsx';
import { bytes, counted } from '../words.ts';

interface ChoiceProps {
  readonly chosen: Signal<DataEntry | undefined>;
}

const detail = ({ kind, pictures, bytes: size }: DataEntry): string =>
  [
    ...(kind === 'builtin' ? ['drawn by the program'] : []),
    ...(pictures === undefined ? [] : [counted(pictures, 'picture')]),
    ...(size === undefined ? [] : [bytes(size)]),
  ].join(', ');

interface EntryProps extends ChoiceProps {
  readonly entry: DataEntry;
  readonly onOpen?: (() => void) | undefined;
  readonly onDelete?: (() => void) | undefined;
}

function Entry({ entry, chosen, onOpen, onDelete }: EntryProps) {
  return (
    <li class="entry">
      <label>
        <input
          type="radio"
          name="data"
          checked={chosen.value?.id === entry.id}
          onChange={() => {
            chosen.value = entry;
          }}
        />
        <span>
          {entry.name} <span class="hint">{detail(entry)}</span>
        </span>
      </label>
      {onOpen && (
        <button type="button" class="button quiet small" aria-label={`Open ${entry.name}`} onClick={onOpen}>
          Open
        </button>
      )}
      {onDelete && (
        <button type="button" class="button quiet small" aria-label={`Delete ${entry.name}`} onClick={onDelete}>
          Delete
        </button>
      )}
    </li>
  );
}

function Folder({
  id,
  chosen,
  opened,
}: ChoiceProps & { readonly id: string; readonly opened: Signal<string | undefined> }) {
  const loaded = useLoaded<DataFolder>(`data/${id}`).value;
  if (loaded.state === 'waiting') return <p class="hint">Looking into the folder …</p>;
  const up = (to: string | undefined) => () => {
    opened.value = to;
  };
  if (loaded.state === 'refused')
    return (
      <div class="notice error">
        <p>{loaded.error}</p>
        <button type="button" class="button small" onClick={up(undefined)}>
          Back
        </button>
      </div>
    );
  const { folder, above, entries, isCut } = loaded.value;
  return (
    <div class="folder">
      <nav class="row tight wrap" aria-label="Folders above">
        <button type="button" class="button quiet small" onClick={up(undefined)}>
          All
        </button>
        {above.map((entry) => (
          <button key={entry.id} type="button" class="button quiet small" onClick={up(entry.id)}>
            {entry.name}
          </button>
        ))}
        <strong>{folder.name}</strong>
      </nav>
      <ul>
        <Entry entry={{ ...folder, name: `All of ${folder.name}` }} chosen={chosen} />
        {entries.map((entry) => (
          <Entry
            key={entry.id}
            entry={entry}
            chosen={chosen}
            onOpen={entry.kind === 'folder' ? up(entry.id) : undefined}
          />
        ))}
      </ul>
      {entries.length === 0 && <p class="hint">No folders or archives in here.</p>}
      {isCut && <p class="hint">There are more than are listed.</p>}
    </div>
  );
}

function Upload({ state, chosen }: ChoiceProps & { readonly state: StudioState }) {
  const share = useSignal<number | undefined>(undefined);
  const { setBytes, setFiles } = state.limits;
  const send = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > setBytes)
      return fail(`${file.name} has ${bytes(file.size)}: up to ${bytes(setBytes)} can be uploaded`);
    share.value = 0;
    await attempt(async () => {
      chosen.value = await upload<DataEntry>('data/upload', file, (sent) => {
        share.value = sent;
      });
      say(`${file.name} is there`);
    });
    share.value = undefined;
  };
  return (
    <div class="field">
      <label class="button file-button">
        Upload a zip …
        <input
          type="file"
          accept=".zip,application/zip"
          class="unseen"
          onChange={({ currentTarget }) => {
            void send(currentTarget.files?.[0]);
            currentTarget.value = '';
          }}
        />
      </label>
      {share.value !== undefined && (
        <progress value={share.value} max={1} aria-label="Share of the file that is uploaded" />
      )}
      <p class="hint">
        Up to {bytes(setBytes)} and {counted(setFiles, 'file')}.
      </p>
    </div>
  );
}

export function DataChoice({ state, chosen }: ChoiceProps & { readonly state: StudioState }) {
  const loaded = useLoaded<DataList>('data', ({ type }) => type === 'data').value;
  const opened = useSignal<string | undefined>(undefined);
  if (loaded.state === 'waiting') return <p class="hint">Looking for pictures …</p>;
  if (loaded.state === 'refused') return <p class="notice error">{loaded.error}</p>;
  const { builtin, sets, roots } = loaded.value;
  const drop = (entry: DataEntry) => async () => {
    if (!confirm(`Delete the uploaded set ${entry.name}?`)) return;
    if ((await attempt(() => remove(`data/${entry.id}`))) && chosen.value?.id === entry.id) chosen.value = undefined;
  };
  return (
    <div class="data-choice">
      <fieldset class="group">
        <legend class="label">Folders</legend>
        {opened.value !== undefined ? (
          <Folder key={opened.value} id={opened.value} chosen={chosen} opened={opened} />
        ) : (
          <ul>
            {roots.map((entry) => (
              <Entry
                key={entry.id}
                entry={entry}
                chosen={chosen}
                onOpen={
                  entry.kind === 'folder'
                    ? () => {
                        opened.value = entry.id;
                      }
                    : undefined
                }
              />
            ))}
          </ul>
        )}
        {roots.length === 0 && (
          <p class="hint">
            The studio was given none: <code>clipvq studio --data my-pictures</code> opens a folder to it.
          </p>
        )}
      </fieldset>
      <fieldset class="group">
        <legend class="label">Uploaded</legend>
        <ul>
          {sets.map((entry) => (
            <Entry key={entry.id} entry={entry} chosen={chosen} onDelete={drop(entry)} />
          ))}
        </ul>
        <Upload state={state} chosen={chosen} />
      </fieldset>
      <fieldset class="group">
        <legend class="label">Built in</legend>
        <ul>
          {builtin.map((entry) => (
            <Entry key={entry.id} entry={entry} chosen={chosen} />
          ))}
        </ul>
      </fieldset>
    </div>
  );
}
