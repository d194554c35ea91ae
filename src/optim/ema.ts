/** Exponential moving average of parameters, written as graph. */

import type { Tree } from '../base/ndarray.ts';
import { flatten, mapTree } from '../base/tree.ts';
import type { Tensor } from '../graph/index.ts';
import * as g from '../graph/index.ts';

/** ema ← decay · ema + (1 − decay) · params. `decay` is a scalar tensor; 1 leaves the average exactly as it is. */
export function updateEma<P extends Tree<Tensor>>(ema: P, params: Tree<Tensor>, decay: Tensor): P;
export function updateEma(ema: Tree<Tensor>, params: Tree<Tensor>, decay: Tensor): Tree<Tensor> {
  const current = flatten(params);
  const share = g.sub(1, decay);
  return mapTree(ema, (average: Tensor, path) => g.add(g.mul(average, decay), g.mul(current[path]!, share)));
}
