/** Arrays as ONNX Runtime's tensors on the host, over the same memory, and back. */

import type { Tensor } from 'onnxruntime-node';
import type { NDArray } from '../base/ndarray.ts';
import { ort } from './ort/runtime.ts';

/** A tensor over the memory of an array. */
export const toTensor = (array: NDArray): Tensor => new ort.Tensor(array.dtype, array.data, array.shape);

/** An array over the memory of a tensor on the host. */
export const fromTensor = (tensor: Tensor): NDArray =>
  ({ dtype: tensor.type, shape: tensor.dims, data: tensor.data }) as NDArray;

/** A tensor over the memory of another one, with another shape. */
export const reshaped = ({ type, data }: Tensor, shape: readonly number[]): Tensor =>
  toTensor({ dtype: type, shape, data } as NDArray);
