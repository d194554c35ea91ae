/** The worker of the page in one file: a classic script that brings the runtime's own along. */

import * as ort from 'onnxruntime-web/wasm';
import { serve } from './serve.ts';

serve(ort, 'cpu');
