/** State that is uploaded once and read twice, and arg max without int64, on WebGPU. */

import { float32 } from '../../dist/base/ndarray.js';
import { Engine } from '../../dist/engine/engine.js';
import * as g from '../../dist/graph/index.js';

/** What it sees, and where the state lies. */
export async function upload() {
  const engine = Engine.start({ device: 'webgpu', threads: 1 });
  const locations = async () => Object.values(await engine.describe('')).map(({ location }) => location);
  await engine.load({ layer: { w: float32([1, 2, 3, 4], [4]), b: float32([5], []) } });
  const before = await locations();
  await engine.upload('layer');
  const after = await locations();

  const inputs = { state: { layer: { w: g.f32(4), b: g.f32() } }, x: g.f32(4), table: g.f32(3, 3) };
  const program = await engine.compile(
    g.trace(inputs, ({ state: { layer }, x, table }) => ({
      y: g.add(g.mul(layer.w, x), layer.b),
      rows: g.argmax(table, -1),
      columns: g.argmax(table, 0),
    })),
  );
  const feeds = { x: float32([1, 1, 2, 2], [4]), table: float32([0, 7, 7, -3, -2, -1, 9, 7, -5], [3, 3]) };
  await program.run(feeds);
  const { y, rows, columns } = await program.run(feeds);
  const { w } = await engine.read('layer');
  const later = await locations();
  await engine.close();
  const [yData, rowData, columnData, wData] = [y, rows, columns, w].map(({ data }) => [...data]);
  return { before, after, later, y: yData, w: wData, rows: rowData, columns: columnData };
}
