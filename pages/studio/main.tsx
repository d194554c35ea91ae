import './styles/index.css';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { startGallery } from './gallery.ts';
import { Shell } from './shell.tsx';
import { openJobs, start } from './store.ts';

startGallery();
void start();
// How far the first job is, for those who look at another page meanwhile.
effect(() => {
  const { done = 0, total = 0 } = openJobs.value.find(({ state }) => state === 'running')?.progress ?? {};
  document.title = total > 0 ? `${Math.floor((100 * done) / total)} % · Studio` : 'Studio';
});
render(<Shell />, document.querySelector('#studio')!);
