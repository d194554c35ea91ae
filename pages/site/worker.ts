/** The worker of the static site, on WebAssembly. */

import * as ort from 'onnxruntime-web/wasm';
import { serve } from './serve.ts';

serve(ort, 'cpu');
