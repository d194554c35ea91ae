/**
 * Everything that the tests compute on WebGPU, section by section as the parent process calls them. One process,
 * because the software driver takes most of its time for compiling kernels, which a process does once for all programs
 * that have them; a process of its own, so that a driver that crashes ends nothing else; and plain JavaScript over the
 * build, so that it starts without a test runner.
 */

import { Engine } from '../../dist/engine/engine.js';
import * as g from '../../dist/graph/index.js';
import { command } from './command.mjs';
import { programs } from './programs.mjs';
import { upload } from './upload.mjs';

const sections = { command, programs, upload };

// The kernels are kept for as long as any program of the process is.
const keeper = Engine.start({ device: 'webgpu', threads: 1 });
await keeper.compile(g.trace({ x: g.f32(1) }, ({ x }) => ({ y: g.neg(x) })));

// One after another, whatever the parent does not wait for.
let last = Promise.resolve();
process.on('message', ({ id, name, args }) => {
  last = last
    .then(() => sections[name](...args))
    .then(
      (result) => process.send({ id, result }),
      (error) => process.send({ id, error: error.stack }),
    );
});
process.on('disconnect', () => keeper.close());
