import './styles/index.css';
import { render } from 'preact';
import { startGallery } from './gallery.ts';
import { Shell } from './shell.tsx';
import { start } from './store.ts';

startGallery();
void start();
render(<Shell />, document.querySelector('#studio')!);
