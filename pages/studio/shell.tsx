/** The frame of the page: where one can go, what the server is doing, and what is wrong if something is. */

import { computed } from '@preact/signals';
import { CreateView } from './create/view.tsx';
import { EvaluateView } from './evaluate/view.tsx';
import { QueueButton } from './queue.tsx';
import { addressOf, view } from './route.ts';
import { link, studio } from './store.ts';
import { THEMES, theme } from './theme.ts';
import { Toasts } from './toasts.tsx';
import { TrainView } from './train/view.tsx';

const VIEWS = [
  ['create', 'Create'],
  ['train', 'Train'],
  ['evaluate', 'Evaluate'],
] as const;

const THEME_NAMES = { system: '◐ System', light: '○ Light', dark: '● Dark' };

function ThemeChoice() {
  return (
    <select
      class="theme"
      aria-label="Light or dark"
      value={theme.value}
      onChange={({ currentTarget }) => {
        theme.value = THEMES.find((name) => name === currentTarget.value) ?? 'system';
      }}
    >
      {THEMES.map((name) => (
        <option key={name} value={name}>
          {THEME_NAMES[name]}
        </option>
      ))}
    </select>
  );
}

function Header() {
  return (
    <header class="header">
      <button type="button" class="button skip" onClick={skip}>
        To the content
      </button>
      <span class="mark" aria-hidden="true" />
      <nav aria-label="Studio">
        {VIEWS.map(([name, title]) => (
          <a key={name} href={addressOf(name)} aria-current={view.value === name ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <div class="header-end">
        <QueueButton />
        <ThemeChoice />
      </div>
    </header>
  );
}

function skip(): void {
  document.querySelector<HTMLElement>('#main')?.focus();
}

function Offline() {
  if (link.value !== 'offline') return null;
  return (
    <div class="banner" role="alert">
      <strong>The studio does not answer.</strong> Nothing is lost: what you see is from before, and it is tried again
      every few seconds. If it has ended, start it in its terminal with <code>clipvq studio</code>.
    </div>
  );
}

function Refused() {
  return (
    <main id="main" class="lone" tabIndex={-1}>
      <h1>This address needs its key</h1>
      <p>
        The studio printed a link when it started, with a key behind <code>?token=</code>. Open that link once, and this
        browser is let in until the studio ends.
      </p>
    </main>
  );
}

function Loading() {
  return (
    <main id="main" class="lone" tabIndex={-1} aria-busy="true">
      <p class="hint">{link.value === 'offline' ? 'Waiting for the studio …' : 'Opening the studio …'}</p>
    </main>
  );
}

const isRefused = computed(() => link.value === 'refused');

function View() {
  if (isRefused.value) return <Refused />;
  const state = studio.value;
  if (!state) return <Loading />;
  if (view.value === 'train') return <TrainView state={state} />;
  if (view.value === 'evaluate') return <EvaluateView />;
  return <CreateView state={state} />;
}

export function Shell() {
  return (
    <>
      <Header />
      <Offline />
      <View />
      <Toasts />
    </>
  );
}
