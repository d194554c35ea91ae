/** The ONNX writer: a program becomes the bytes of a model file. */

import { bytesOf, type NDArray, sizeOf } from '../base/ndarray.ts';
import { type Emitter, lower, type OnnxAttribute, onnxTypes } from './lowering.ts';
import { Message } from './protobuf.ts';
import type { Node, Tensor } from './tensor.ts';
import { type Program, schedule } from './trace.ts';

const OPSET = 20;
const IR_VERSION = 9;
const INT64 = 7;

/** How a program is written. */
export interface WriteOptions {
  /**
   * The name of an input or output in the file, by its path in the program. By default the path; ONNX requires all
   * names distinct.
   */
  readonly inputName?: (path: string) => string;
  readonly outputName?: (path: string) => string;
  /** Inputs that become weights inside the file. */
  readonly weights?: Readonly<Record<string, NDArray>>;
  /**
   * Leave the leading axis of every input and output open. The program must have been traced at batch 1 and keep that
   * axis leading throughout: a reshape to [1, ...] is then written as [-1, ...].
   */
  readonly openBatch?: boolean;
  /** Avoid arithmetic in int64, for devices that do not have it. */
  readonly narrow?: boolean;
  /** The name of an output before all others that is an empty sequence of tensors, and no tensor. */
  readonly emptySequence?: string;
  /** The order in which the file lists the nodes: each after its operands. By default that in which they were made. */
  readonly order?: (nodes: readonly Node[]) => readonly Node[];
  /** Inputs declared as int64, as other programs feed them. */
  readonly int64Inputs?: readonly string[];
}

/** Encode a program as an ONNX model: opset 20, and QuickGelu of the domain `com.microsoft`. */
export function writeOnnx(program: Program, options: WriteOptions = {}): Uint8Array {
  return new Writer(program, options).model().encode();
}

class Writer implements Emitter {
  private readonly names = new Map<Tensor, string>();
  private readonly nodes: Message[] = [];
  private readonly initializers = new Map<string, Message>();
  private readonly declared: Message[] = [];
  private temporaries = 0;
  private values = 0;

  constructor(
    private readonly program: Program,
    private readonly options: WriteOptions,
  ) {}

  get narrow(): boolean {
    return this.options.narrow ?? false;
  }

  model(): Message {
    for (const [path, tensor] of Object.entries(this.program.inputs)) this.declareInput(path, tensor);
    const { order = (nodes) => nodes, emptySequence } = this.options;
    const nodes = order(schedule(this.program));
    const copied = this.nameOutputs(nodes);
    for (const node of nodes) lower(node, this);
    const graph = new Message();
    for (const node of this.nodes) graph.message(1, node);
    graph.string(2, 'clip-vqdiffusion');
    if (emptySequence !== undefined) {
      graph.message(1, operator('SequenceEmpty', [], [emptySequence], { dtype: onnxTypes.float32 }));
      graph.message(12, sequenceInfo(emptySequence));
    }
    for (const [path, tensor] of Object.entries(this.program.outputs)) {
      const name = this.nameOfOutput(path);
      if (copied.has(path)) graph.message(1, operator('Identity', [this.nameOf(tensor)], [name]));
      graph.message(12, valueInfo(name, onnxTypes[tensor.dtype], this.openShape(tensor.shape)));
    }
    for (const initializer of this.initializers.values()) graph.message(5, initializer);
    for (const input of this.declared) graph.message(11, input);
    return new Message()
      .int(1, IR_VERSION)
      .string(2, 'clip-vqdiffusion')
      .message(7, graph)
      .message(8, new Message().string(1, '').int(2, OPSET))
      .message(8, new Message().string(1, 'com.microsoft').int(2, 1));
  }

  /**
   * Lets values be computed under the names of the outputs they are: a copy at the end would cost a pass over memory.
   * What is an input, a literal, or an output twice has a name already; returns the outputs that have to be copies.
   */
  private nameOutputs(nodes: readonly Node[]): ReadonlySet<string> {
    const computed = new Set(
      nodes.filter(({ op }) => op !== 'input' && op !== 'constant').flatMap((node) => node.outputs),
    );
    const copied = new Set<string>();
    for (const [path, tensor] of Object.entries(this.program.outputs)) {
      if (computed.delete(tensor)) this.names.set(tensor, this.nameOfOutput(path));
      else copied.add(path);
    }
    return copied;
  }

  private nameOfOutput(path: string): string {
    return this.options.outputName?.(path) ?? path;
  }

  inputs(node: Node): string[] {
    return node.inputs.map((t) => this.nameOf(t));
  }

  output(node: Node, index = 0): string {
    return this.nameOf(node.outputs[index]!);
  }

  temporary(): string {
    return `%_${this.temporaries++}`;
  }

  literal(value: NDArray): string {
    return this.initializer(this.keyOf(value), onnxTypes[value.dtype], value.shape, () => bytesOf(value.data));
  }

  /** A key that equal literals share; different ones may share it, too. */
  private keyOf({ dtype, shape, data }: NDArray): string {
    const [first] = data;
    if (data.length <= 64) return `${dtype}[${shape}]:${data.join()}`;
    return data.every((value) => value === first) ? `${dtype}[${shape}]=${first}` : `#${this.initializers.size}`;
  }

  int64s(values: readonly number[]): string {
    const bytes = () => new Uint8Array(BigInt64Array.from(values, (v) => BigInt(v)).buffer);
    return this.initializer(`int64:${values.join()}`, INT64, [values.length], bytes);
  }

  emit(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, OnnxAttribute> = {},
    domain?: string,
  ): void {
    this.nodes.push(operator(op, inputs, outputs, attributes, domain));
  }

  openShape(shape: readonly number[]): number[] {
    return this.options.openBatch && shape[0] === 1 ? [-1, ...shape.slice(1)] : [...shape];
  }

  private declareInput(path: string, tensor: Tensor): void {
    const name = this.options.inputName?.(path) ?? path;
    const weight = this.options.weights?.[path];
    if (weight) {
      if (sizeOf(weight.shape) !== sizeOf(tensor.shape))
        throw new Error(`The weight ${path} does not have the traced shape`);
      this.names.set(tensor, this.literalNamed(name, weight));
      return;
    }
    const wide = this.options.int64Inputs?.includes(path) ?? false;
    this.declared.push(valueInfo(name, wide ? INT64 : onnxTypes[tensor.dtype], this.openShape(tensor.shape)));
    this.names.set(tensor, name);
    if (wide) {
      const narrow = this.temporary();
      this.emit('Cast', [name], [narrow], { to: onnxTypes[tensor.dtype] });
      this.names.set(tensor, narrow);
    }
  }

  /**
   * Names that the writer makes up are counted, so that a program gives the same bytes whatever was traced before it.
   * They start with a sign that keeps them apart from those of inputs and outputs.
   */
  private nameOf(tensor: Tensor): string {
    const known = this.names.get(tensor);
    if (known !== undefined) return known;
    const name =
      tensor.node.op === 'constant'
        ? this.literal((tensor.node as Node<'constant'>).attributes.value)
        : `%${this.values++}`;
    this.names.set(tensor, name);
    return name;
  }

  private literalNamed(name: string, value: NDArray): string {
    this.initializers.set(name, tensorProto(name, onnxTypes[value.dtype], value.shape, bytesOf(value.data)));
    return name;
  }

  private initializer(key: string, type: number, shape: readonly number[], bytes: () => Uint8Array): string {
    if (!this.initializers.has(key)) this.initializers.set(key, tensorProto(key, type, shape, bytes()));
    return key;
  }
}

function tensorProto(name: string, type: number, shape: readonly number[], bytes: Uint8Array): Message {
  const message = new Message();
  for (const d of shape) message.int(1, d);
  return message.int(2, type).string(8, name).bytes(9, bytes);
}

function valueInfo(name: string, type: number, shape: readonly number[]): Message {
  const dims = new Message();
  for (const d of shape) dims.message(1, d < 0 ? new Message().string(2, 'batch') : new Message().int(1, d));
  const tensor = new Message().int(1, type).message(2, dims);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}

/** A sequence of float32 tensors of any shape. */
function sequenceInfo(name: string): Message {
  const element = new Message().message(1, new Message().int(1, onnxTypes.float32));
  return new Message().string(1, name).message(2, new Message().message(4, new Message().message(1, element)));
}

function operator(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, OnnxAttribute> = {},
  domain?: string,
): Message {
  const message = new Message();
  for (const name of inputs) message.string(1, name);
  for (const name of outputs) message.string(2, name);
  message.string(4, op);
  for (const [name, value] of Object.entries(attributes)) message.message(5, attribute(name, value));
  return domain ? message.string(7, domain) : message;
}

function attribute(name: string, value: OnnxAttribute): Message {
  const message = new Message().string(1, name);
  if (typeof value === 'number') return message.int(3, value).int(20, 2);
  if (typeof value === 'string') return message.string(4, value).int(20, 3);
  if ('float' in value) return message.float(2, value.float).int(20, 1);
  for (const v of value) message.int(8, v);
  return message.int(20, 7);
}
