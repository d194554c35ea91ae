/** The graph: traced tensors, a closed set of differentiable primitives, reverse mode, and the ONNX writer. */

export { countFlop } from './cost.ts';
export { ShapeError } from './errors.ts';
export { grad } from './gradients.ts';
export { type WriteOptions, writeOnnx } from './onnx.ts';
export * from './ops.ts';
export { type Segment, segmentsOf } from './segments.ts';
export { type Node, type Primitive, type Spec, Tensor } from './tensor.ts';
export { f32, i32, operandsOf, type Program, schedule, trace } from './trace.ts';
