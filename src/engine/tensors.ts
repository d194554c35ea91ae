/** Arrays as ONNX Runtime's tensors on the host, over the same memory, and back. */

import * as ort from 'onnxruntime-node';
import type { NDArray } from '../base/ndarray.ts';

export const toTensor = (array: NDArray): ort.Tensor => new ort.Tensor(array.dtype, array.data, array.shape);

export const fromTensor = (tensor: ort.Tensor): NDArray =>
  ({ dtype: tensor.type, shape: tensor.dims, data: tensor.data }) as NDArray;

/** The same memory under another shape. */
export const reshaped = ({ type, data }: ort.Tensor, shape: readonly number[]): ort.Tensor =>
  toTensor({ dtype: type, shape, data } as NDArray);
