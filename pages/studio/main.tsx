import './styles/fonts.css';
import '../shared/tokens.css';
import '../shared/base.css';
import './styles/shell.css';
import './styles/create.css';
import './styles/pictures.css';
import './styles/train.css';
import { render } from 'preact';
import { startGallery } from './gallery.ts';
import { Shell } from './shell.tsx';
import { start } from './store.ts';

startGallery();
void start();
render(<Shell />, document.querySelector('#studio')!);
