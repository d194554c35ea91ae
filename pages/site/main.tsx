/** The page that draws: the model is loaded, prompts become pictures, and nothing leaves the browser. */

import '../shared/tokens.css';
import '../shared/base.css';
import './site.css';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { pageData } from './assets.ts';
import { type Device, Engine, hasWebGpu, threadsHere } from './engine.ts';
import { isolate } from './isolation.ts';
import { Studio } from './studio.tsx';

type Stage =
  | { readonly name: 'loading'; readonly done: number; readonly total: number }
  | { readonly name: 'ready'; readonly engine: Engine }
  | { readonly name: 'failed'; readonly message: string };

const { title = 'Pictures from text', files } = pageData();

function App() {
  const [stage, setStage] = useState<Stage>({ name: 'loading', done: 0, total: 0 });
  const [gpu, setGpu] = useState(false);
  const [notice, setNotice] = useState<string>();

  const start = async (device: Device) => {
    setStage({ name: 'loading', done: 0, total: 0 });
    const fail = (message: string) => setStage({ name: 'failed', message });
    try {
      const engine = await Engine.start(device, (done, total) => setStage({ name: 'loading', done, total }), fail);
      setStage({ name: 'ready', engine });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (device === 'cpu') return fail(message);
      setNotice(`WebGPU does not work here (${message}): the CPU draws instead.`);
      setGpu(false);
      await start('cpu');
    }
  };

  useEffect(() => {
    void (async () => {
      if (files) await isolate();
      setGpu(await hasWebGpu());
      await start('cpu');
    })();
  }, []);

  const change = (engine: Engine, device: Device) => {
    engine.close();
    setNotice(undefined);
    void start(device);
  };

  return (
    <main class="page">
      <header>
        <h1>{title}</h1>
        <p class="hint">Draws pictures from text, on this machine alone. Nothing you type leaves the browser.</p>
      </header>
      {notice !== undefined && (
        <p class="notice warning" role="status">
          {notice}
        </p>
      )}
      {stage.name === 'loading' && <Loading {...stage} />}
      {stage.name === 'failed' && (
        <div class="notice error" role="alert">
          <p>{stage.message}</p>
          <button class="button" type="button" onClick={() => location.reload()}>
            Try again
          </button>
        </div>
      )}
      {stage.name === 'ready' && <Studio engine={stage.engine} />}
      {stage.name === 'ready' && (
        <footer class="hint">
          <Computing engine={stage.engine} gpu={gpu} onChange={(device) => change(stage.engine, device)} />
        </footer>
      )}
    </main>
  );
}

function Loading({ done, total }: { readonly done: number; readonly total: number }) {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const isFetched = total > 0 && done >= total;
  return (
    <div class="loading" role="status">
      <p>{isFetched || !files ? 'Starting the model…' : 'Loading the model…'}</p>
      {files && (
        <>
          <progress aria-label="Loading" {...(total > 0 && { max: total, value: done })} />
          <p class="hint numbers">{total > 0 ? `${megabytes(done)} of ${megabytes(total)} MB` : 'Connecting'}</p>
        </>
      )}
    </div>
  );
}

interface ComputingProps {
  readonly engine: Engine;
  readonly gpu: boolean;
  readonly onChange: (device: Device) => void;
}

/** What computes, and the choice where there is one. */
function Computing({ engine: { device, facts }, gpu, onChange }: ComputingProps) {
  const threads = threadsHere();
  const cpu = threads > 1 ? `CPU, ${threads} threads` : 'CPU, one thread';
  const precision =
    facts.precision === 'float16'
      ? 'Weights have 16 bits: pictures may differ from those of the whole model.'
      : 'Weights have 32 bits, as in the whole model.';
  return (
    <>
      {gpu ? (
        <label class="computing">
          Computed on{' '}
          <select value={device} onChange={(event) => onChange(event.currentTarget.value as Device)}>
            <option value="cpu">{cpu} (WebAssembly)</option>
            <option value="webgpu">GPU (WebGPU)</option>
          </select>
        </label>
      ) : (
        <span>Computed on the {cpu}. </span>
      )}
      <span>{precision}</span>
    </>
  );
}

render(<App />, document.getElementById('app')!);
