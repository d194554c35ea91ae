/** The page that draws: the model is loaded, prompts become pictures, and nothing leaves the browser. */

import '../shared/tokens.css';
import '../shared/base.css';
import '../shared/buttons.css';
import '../shared/fields.css';
import './site.css';
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { pageData } from './assets.ts';
import { type Device, Engine, hasWebGpu, threadsHere } from './engine.ts';
import { isolate } from './isolation.ts';
import { Studio } from './studio.tsx';

type Stage =
  | { readonly name: 'loading'; readonly done: number; readonly total: number }
  | { readonly name: 'ready' }
  | { readonly name: 'failed'; readonly message: string };

const LOADING: Stage = { name: 'loading', done: 0, total: 0 };

const { title = 'Pictures from text', files } = pageData();

function App() {
  const [stage, setStage] = useState<Stage>(LOADING);
  /** The last one that was ready. What it has drawn stays while another one gets ready. */
  const [engine, setEngine] = useState<Engine>();
  const [gpu, setGpu] = useState(false);
  const [notice, setNotice] = useState<string>();

  const withoutGpu = (what: string) => {
    setNotice(`${what}: the CPU draws instead.`);
    setGpu(false);
  };

  const start = async (device: Device) => {
    setStage(LOADING);
    const goOn = async (message: string, what: string) => {
      if (device === 'cpu') return setStage({ name: 'failed', message });
      // The runtime's own words help whoever looks for the reason, and nobody else.
      console.warn(message);
      withoutGpu(what);
      await start('cpu');
    };
    try {
      const onProgress = (done: number, total: number) => setStage({ name: 'loading', done, total });
      setEngine(await Engine.start(device, onProgress, (message) => void goOn(message, 'The GPU stopped')));
      setStage({ name: 'ready' });
    } catch (error) {
      await goOn(error instanceof Error ? error.message : String(error), 'WebGPU does not work here');
    }
  };

  useEffect(() => {
    void (async () => {
      if (files) await isolate();
      setGpu(await hasWebGpu());
      await start('cpu');
    })();
  }, []);

  const change = async (device: Device) => {
    // Nothing is drawn from here on until the engine is there.
    setStage(LOADING);
    // The browser may have taken the GPU away since.
    if (device === 'webgpu' && !(await hasWebGpu())) {
      setStage({ name: 'ready' });
      return withoutGpu('There is no GPU here any more');
    }
    engine?.close();
    setNotice(undefined);
    await start(device);
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
      {engine && <Studio engine={engine} isReady={stage.name === 'ready'} title={title} />}
      {engine && stage.name === 'ready' && (
        <footer class="hint">
          <Computing engine={engine} gpu={gpu} onChange={(device) => void change(device)} />
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
        <span>
          Computed on the {cpu}
          {files && '; this browser has no WebGPU that could be used'}.{' '}
        </span>
      )}
      <span>{precision}</span>
    </>
  );
}

render(<App />, document.getElementById('app')!);
