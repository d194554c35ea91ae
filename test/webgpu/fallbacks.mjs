/** Which operators of the product's work fall back to the CPU on WebGPU. */

import { deviceFallbacks } from '../../dist/bench/devices.js';

const config = { layers: 1, dim: 32, heads: 8, grid: 4, codes: 64, batch: 4, rounds: 1, mlp: 'conv', inPlace: false };

export const fallbacks = () => deviceFallbacks(config, { device: 'webgpu', threads: 1 });
