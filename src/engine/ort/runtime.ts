/**
 * ONNX Runtime for Node, loaded as the CommonJS that it is: before an `import` of it Node would look for its exports in
 * the text of all its files, in every thread anew.
 */

import { createRequire } from 'node:module';

/** ONNX Runtime for Node. */
export const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node');
