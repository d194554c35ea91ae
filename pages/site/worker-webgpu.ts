/** The worker of the static site, on WebGPU. */

import * as ort from 'onnxruntime-web/jspi';
import { serve } from './serve.ts';

serve(ort, 'webgpu');
