/** Create: the form, what is being drawn, the history, and the picture that is looked at. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { StudioState } from '../../../src/studio/protocol.ts';
import { selected } from '../gallery.ts';
import { link, model } from '../store.ts';
import { CompareTray } from './compare.tsx';
import { FormPanel } from './form-panel.tsx';
import { Gallery } from './gallery-view.tsx';
import { bringIn } from './import.ts';
import { Inspector } from './inspector.tsx';
import { LargeView } from './large.tsx';
import { Live } from './live.tsx';
import { measure } from './tiles.ts';

const isDropping = signal(false);
/** Whether what is dragged is one of the pictures here, on its way out. */
let isOwn = false;

function onDragStart(): void {
  isOwn = true;
}

function onDragEnd(): void {
  isOwn = false;
}

function onDragOver(event: DragEvent): void {
  if (isOwn || !event.dataTransfer?.types.includes('Files')) return;
  event.preventDefault();
  isDropping.value = true;
}

function onDragLeave({ relatedTarget, currentTarget }: { relatedTarget: EventTarget | null; currentTarget: Element }) {
  if (!(relatedTarget instanceof Node) || !currentTarget.contains(relatedTarget)) isDropping.value = false;
}

function onDrop(event: DragEvent): void {
  if (isOwn) return;
  event.preventDefault();
  isDropping.value = false;
  void bringIn([...(event.dataTransfer?.files ?? [])]);
}

function ModelNotice() {
  const facts = model.value;
  if (facts?.state === 'failed')
    return (
      <p class="notice error" role="alert">
        The model {facts.name} cannot be opened: {facts.error}
      </p>
    );
  if (facts?.state === 'loading' && link.value === 'online')
    return <p class="notice">The model {facts.name} is being opened. What you start waits for it.</p>;
  return null;
}

export function CreateView({ state }: { readonly state: StudioState }) {
  const stage = useRef<HTMLDivElement>(null);
  useEffect(() => measure(stage.current), []);
  return (
    <main
      id="main"
      class={`create${selected.value ? ' with-inspector' : ''}`}
      tabIndex={-1}
      onDragStart={onDragStart}
      onDragEnd={onDragEnd}
      onDragOver={onDragOver}
      onDragLeave={onDragLeave}
      onDrop={onDrop}
    >
      <h1 class="unseen">Create pictures</h1>
      <FormPanel state={state} />
      <div class="stage" ref={stage}>
        <ModelNotice />
        <Live />
        <Gallery state={state} />
        <CompareTray state={state} />
      </div>
      <Inspector state={state} />
      <LargeView />
      {isDropping.value && (
        <div class="drop-here">Drop a picture to go on from it, or one of ours for its settings</div>
      )}
    </main>
  );
}
