/** Which operators of the product's work fall back to the CPU on WebGPU, as JSON: a process of its own, for a driver that may crash. */

import { deviceFallbacks } from '../../dist/bench/devices.js';

const config = { layers: 1, dim: 32, heads: 8, grid: 4, codes: 64, batch: 2, rounds: 1, mlp: 'conv', inPlace: false };
console.log(JSON.stringify(await deviceFallbacks(config, { device: 'webgpu', threads: 1 })));
