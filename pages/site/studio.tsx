/** The form, and the pictures that it has made. */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from './engine.ts';
import { Gallery, type Picture } from './gallery.tsx';
import { PromptForm } from './prompt-form.tsx';
import type { Choices, FrameMessage } from './protocol.ts';

/** The pictures that a page keeps; older ones make room. */
const MOST_PICTURES = 96;

interface Drawing {
  readonly job: number;
  readonly prompt: string;
  readonly count: number;
  /** So many of them another engine has drawn. */
  readonly before: number;
  readonly frame: FrameMessage | undefined;
}

/** For other scripts: the detail of the event `clipvq:picture` of the document. */
interface PictureEvent {
  readonly prompt: string;
  readonly seed: number;
  readonly tokens: Int32Array;
  readonly png: Uint8Array<ArrayBuffer>;
}

interface StudioProps {
  readonly engine: Engine;
  /** Whether it can draw; otherwise another one is on its way. */
  readonly isReady: boolean;
  readonly title: string;
}

/** The rest of what was wanted when an engine stopped. */
interface Unfinished {
  readonly prompt: string;
  readonly choices: Choices;
  /** So many pictures are there already. */
  readonly before: number;
}

export function Studio({ engine, isReady, title }: StudioProps) {
  const [pictures, setPictures] = useState<readonly Picture[]>([]);
  const [drawing, setDrawing] = useState<Drawing>();
  const [problem, setProblem] = useState<string>();
  const [remark, setRemark] = useState('');
  const [unfinished, setUnfinished] = useState<Unfinished>();
  const last = useRef(0);

  const keep = (prompt: string, frame: FrameMessage) => {
    const { png, tokens } = frame.finished!;
    const url = URL.createObjectURL(new Blob([png], { type: 'image/png' }));
    const picture: Picture = { id: ++last.current, prompt, seed: frame.seed, url };
    setPictures((before) => {
      for (const { url: old } of before.slice(MOST_PICTURES - 1)) URL.revokeObjectURL(old);
      return [picture, ...before.slice(0, MOST_PICTURES - 1)];
    });
    const detail: PictureEvent = { prompt, seed: frame.seed, tokens, png };
    document.dispatchEvent(new CustomEvent('clipvq:picture', { detail }));
  };

  const draw = async (prompt: string, choices: Choices, before = 0) => {
    setProblem(undefined);
    setRemark('');
    const count = before + choices.count;
    let done = before;
    const { job, end } = engine.draw(prompt, choices, (frame) => {
      if (frame.finished) {
        done++;
        keep(prompt, frame);
      }
      setDrawing({ job, prompt, count, before, frame: frame.finished ? undefined : frame });
    });
    setDrawing({ job, prompt, count, before, frame: undefined });
    const { message, unknownWords, isLost } = await end;
    if (isLost) {
      const rest = { ...choices, seed: choices.seed + done - before, count: count - done };
      return setUnfinished({ prompt, choices: rest, before: done });
    }
    setDrawing(undefined);
    setProblem(message);
    if (message !== undefined) return;
    const made = done === 1 ? '1 picture drawn.' : `${done} pictures drawn.`;
    const unknown = unknownWords.length > 0 ? ` The model has never met: ${unknownWords.join(', ')}.` : '';
    setRemark(`${done < count ? 'Cancelled. ' : ''}${made}${unknown}`);
  };

  const cancel = () => {
    if (!drawing) return;
    if (!unfinished) return engine.cancel(drawing.job);
    setUnfinished(undefined);
    setDrawing(undefined);
  };
  useEffect(() => {
    if (!isReady || !unfinished) return;
    setUnfinished(undefined);
    void draw(unfinished.prompt, unfinished.choices, unfinished.before);
  }, [isReady, unfinished]);
  useEffect(() => {
    document.title = drawing ? `${progressOf(drawing)} · ${title}` : title;
  }, [drawing, title]);
  useEffect(() => {
    const onKey = ({ key }: KeyboardEvent) => {
      if (key === 'Escape') cancel();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });

  return (
    <>
      <PromptForm
        facts={engine.facts}
        isBusy={drawing !== undefined || !isReady}
        isDrawing={drawing !== undefined}
        onDraw={draw}
        onCancel={cancel}
      />
      {problem !== undefined && (
        <p class="notice error" role="alert">
          {problem}
        </p>
      )}
      <p class="hint remark" role="status">
        {drawing ? progressOf(drawing) : remark}
      </p>
      <Gallery
        facts={engine.facts}
        pictures={pictures}
        drawing={drawing && { prompt: drawing.prompt, frame: drawing.frame }}
      />
    </>
  );
}

function progressOf({ count, before, frame }: Drawing): string {
  if (!frame) return 'Drawing…';
  const which = count > 1 ? `Picture ${before + frame.index + 1} of ${count}: ` : '';
  return `${which}step ${frame.step} of ${frame.steps}`;
}
