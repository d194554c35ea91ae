/** What the page knows of the server: signals that its events keep up to date. */

import { computed, signal } from '@preact/signals';
import type { Job, ModelFacts, Preview, Run, StudioEvent, StudioState } from '../../src/studio/protocol.ts';
import { get, Refused } from './api.ts';

/** `refused`: the server wants the address with its token. */
export type Link = 'connecting' | 'online' | 'offline' | 'refused';

export const link = signal<Link>('connecting');
export const studio = signal<StudioState | undefined>();
export const model = signal<ModelFacts | undefined>();
export const jobs = signal<readonly Job[]>([]);
export const runs = signal<readonly Run[]>([]);
/** The newest preview of each job. */
export const previews = signal<ReadonlyMap<string, Preview>>(new Map());

const DRAWING = ['create', 'vary', 'interpolate', 'repaint'];
export const isDrawing = (job: Job): boolean => DRAWING.includes(job.kind);
export const isOpen = ({ state }: Job): boolean => state === 'waiting' || state === 'running' || state === 'paused';

export const openJobs = computed(() => jobs.value.filter(isOpen));

type Listener = (event: StudioEvent) => void;
const listeners = new Set<Listener>();

/** Called for every event after the signals here have changed. */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const without = <V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> =>
  new Map([...map].filter(([name]) => name !== key));

function withJob(job: Job): void {
  const isKnown = jobs.value.some(({ id }) => id === job.id);
  jobs.value = isKnown ? jobs.value.map((other) => (other.id === job.id ? job : other)) : [...jobs.value, job];
  if (!isOpen(job) && previews.value.has(job.id)) previews.value = without(previews.value, job.id);
}

function apply(event: StudioEvent): void {
  if (event.type === 'present') {
    jobs.value = event.jobs;
    previews.value = new Map(event.previews.map((preview) => [preview.job, preview]));
    model.value = event.model;
    runs.value = event.runs;
  } else if (event.type === 'job') withJob(event.job);
  else if (event.type === 'jobs') jobs.value = event.jobs;
  else if (event.type === 'preview') previews.value = new Map(previews.value).set(event.preview.job, event.preview);
  else if (event.type === 'run') {
    const others = runs.value.filter(({ id }) => id !== event.run.id);
    runs.value = [event.run, ...others];
  } else if (event.type === 'model') {
    model.value = event.model;
    void loadState();
  }
}

async function loadState(): Promise<void> {
  try {
    const state = await get<StudioState>('state');
    studio.value = state;
    model.value = state.model;
    if (link.value !== 'online') connect();
  } catch (error) {
    link.value = error instanceof Refused && [401, 403].includes(error.status) ? 'refused' : 'offline';
    if (link.value === 'offline') retry();
  }
}

const PAUSE = 3000;
let timer: ReturnType<typeof setTimeout> | undefined;
function retry(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void loadState(), PAUSE);
}

let source: EventSource | undefined;
function connect(): void {
  source?.close();
  source = new EventSource('/api/events');
  source.onmessage = ({ data }: MessageEvent<string>) => {
    const event = JSON.parse(data) as StudioEvent;
    link.value = 'online';
    apply(event);
    for (const listener of listeners) listener(event);
  };
  source.onerror = () => {
    source?.close();
    link.value = 'offline';
    retry();
  };
}

/** Connect, and connect again whenever the server has been away. */
export const start = (): Promise<void> => loadState();
