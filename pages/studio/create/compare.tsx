/** Pictures beside each other, with the settings in which they differ. */

import { useSignal } from '@preact/signals';
import type { Picture, StudioState } from '../../../src/studio/protocol.ts';
import { PixelPicture } from '../../shared/pixel-picture.tsx';
import { pictureUrl } from '../api.ts';
import { Dialog } from '../dialog.tsx';
import { compared, toggleCompared } from '../gallery.ts';
import { counted } from '../words.ts';

function valuesOf(picture: Picture): ReadonlyMap<string, string> {
  const { prompt, negative, seed, bestOf, clipScore, strength, settings = {} } = picture;
  const plain = {
    Prompt: prompt,
    Avoid: negative,
    Seed: seed,
    'Best of': bestOf,
    Strength: strength,
    'CLIP score': clipScore?.toFixed(3),
    ...settings,
  };
  return new Map(
    Object.entries(plain).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const])),
  );
}

function Differences({ state }: { readonly state: StudioState }) {
  const values = compared.value.map(valuesOf);
  const names = [...new Set(values.flatMap((map) => [...map.keys()]))];
  const differing = names.filter((name) => new Set(values.map((map) => map.get(name))).size > 1);
  const titleOf = (name: string) => state.settings.find((facts) => facts.name === name)?.title ?? name;
  return (
    <tbody>
      {differing.map((name) => (
        <tr key={name}>
          <th scope="row">{titleOf(name)}</th>
          {values.map((map, i) => (
            <td key={compared.value[i]!.id}>{map.get(name) ?? '–'}</td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}

function Comparison({ state, onClose }: { readonly state: StudioState; readonly onClose: () => void }) {
  return (
    <Dialog title="Comparison" isWide onClose={onClose}>
      <div class="scroll-x">
        <table class="comparison">
          <thead>
            <tr>
              <td />
              {compared.value.map((picture) => (
                <th key={picture.id} scope="col">
                  <PixelPicture
                    src={pictureUrl(picture.id)}
                    alt={picture.prompt}
                    width={picture.width}
                    height={picture.height}
                    room={256}
                  />
                  <button type="button" class="button quiet small" onClick={() => toggleCompared(picture)}>
                    Take out
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <Differences state={state} />
        </table>
      </div>
    </Dialog>
  );
}

export function CompareTray({ state }: { readonly state: StudioState }) {
  const isOpen = useSignal(false);
  const list = compared.value;
  if (list.length === 0) return null;
  return (
    <section class="tray" aria-label="Comparison">
      <ul class="row tight">
        {list.map((picture) => (
          <li key={picture.id}>
            <button
              type="button"
              class="tray-picture"
              title="Take it out of the comparison"
              onClick={() => toggleCompared(picture)}
            >
              <img class="pixels" src={pictureUrl(picture.id)} alt={picture.prompt} width={48} height={48} />
            </button>
          </li>
        ))}
      </ul>
      <span class="row tight">
        <button
          type="button"
          class="button"
          disabled={list.length < 2}
          onClick={() => {
            isOpen.value = true;
          }}
        >
          {list.length < 2 ? 'Choose another one' : `Compare ${counted(list.length, 'picture')}`}
        </button>
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            compared.value = [];
          }}
        >
          Clear
        </button>
      </span>
      {isOpen.value && (
        <Comparison
          state={state}
          onClose={() => {
            isOpen.value = false;
          }}
        />
      )}
    </section>
  );
}
