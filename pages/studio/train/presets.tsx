/** How large a model, with what it will take on this machine. */

import type { Signal } from '@preact/signals';
import type { PresetFacts, PresetList } from '../../../src/studio/protocol.ts';
import { useLoaded } from '../loaded.ts';
import { counted, duration, whole } from '../words.ts';

interface PresetProps {
  readonly preset: PresetFacts;
  readonly chosen: Signal<string | undefined>;
}

function Preset({ preset, chosen }: PresetProps) {
  const { name, imageSize, codes, parameters, seconds, range, memoryGB, stages } = preset;
  return (
    <li>
      <label class="card">
        <span class="row spread">
          <span class="row">
            <input
              type="radio"
              name="preset"
              checked={chosen.value === name}
              onChange={() => {
                chosen.value = name;
              }}
            />
            <strong>{name}</strong>
          </span>
          <strong class="numbers">{duration(seconds)}</strong>
        </span>
        <span class="hint numbers">
          {duration(range[0])} to {duration(range[1])} here · {memoryGB.toFixed(1)} GB of memory
        </span>
        <span class="hint numbers">
          {imageSize} × {imageSize} pixels · {counted(codes, 'code')} · {parameters.toFixed(1)} million parameters
        </span>
        <span class="hint numbers">
          {stages.map(({ stage, steps }) => `${stage} ${whole(steps)}`).join(', ')} steps
        </span>
      </label>
    </li>
  );
}

export function PresetChoice({
  data,
  chosen,
}: {
  readonly data: string | undefined;
  readonly chosen: Signal<string | undefined>;
}) {
  const loaded = useLoaded<PresetList>(data === undefined ? 'presets' : `presets?data=${data}`).value;
  if (loaded.state === 'waiting') return <p class="hint">Measuring how fast this machine is …</p>;
  if (loaded.state === 'refused') return <p class="notice error">{loaded.error}</p>;
  return (
    <fieldset>
      <legend class="unseen">Preset</legend>
      <ul class="cards">
        {loaded.value.presets.map((preset) => (
          <Preset key={preset.name} preset={preset} chosen={chosen} />
        ))}
      </ul>
    </fieldset>
  );
}
