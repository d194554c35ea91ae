/**
 * The allow-list: every name of Python that a checkpoint may use, and what stands in its place here. Nothing of Python
 * runs; a name that is not on this page is refused.
 */
import { STORAGE_TYPES, Storage, TorchTensor } from './tensors.ts';
import { type Builder, Named, NumpyType, type Value } from './values.ts';

/**
 * What stands for `module.name`; undefined if it is not allowed. `label` names the file in messages about its tensors.
 */
export function findGlobal(module: string, name: string, label: string): Named | undefined {
  const path = pathOf(module, name);
  if (STORAGE_TYPES.has(path) || DTYPES.has(path) || isLightningCallback(path)) return new Named(path);
  const build = tensorBuilders(label).get(path) ?? BUILDERS.get(path);
  return build && new Named(path, build);
}

/** The full name, in the spelling of Python 3. */
export const pathOf = (module: string, name: string): string => `${MODULES.get(module) ?? module}.${name}`;

/** Modules that go by two names: Python 2 and 3, numpy 1 and 2. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['numpy._core.multiarray', 'numpy.core.multiarray'],
]);

/** Element types as values. */
const DTYPES: ReadonlySet<string> = new Set([...STORAGE_TYPES.values()].map((dtype) => `torch.${dtype}`));

/** Lightning keeps the state of its callbacks under their classes: read as names, never called. */
const isLightningCallback = (path: string): boolean =>
  /^(pytorch_lightning|lightning\.pytorch)\.callbacks\.[\w.]+$/.test(path);

const tensorBuilders = (label: string): ReadonlyMap<string, Builder> =>
  new Map<string, Builder>([
    ['torch._utils._rebuild_tensor', (args) => tensor(args, label)],
    ['torch._utils._rebuild_tensor_v2', (args) => tensor(args, label)],
  ]);

const BUILDERS: ReadonlyMap<string, Builder> = new Map<string, Builder>([
  ['torch._utils._rebuild_parameter', ([data]) => instance(TorchTensor, data)],
  ['torch._utils._rebuild_parameter_with_state', ([data]) => instance(TorchTensor, data)],
  ['torch.Size', ([sizes]) => list(sizes)],
  ['torch.device', (args) => args.map(String).join(':')],
  ['collections.OrderedDict', ([content]) => dict(content)],
  ['collections.defaultdict', ([, content]) => dict(content)],
  ['collections.Counter', ([content]) => dict(content)],
  ['pytorch_lightning.utilities.parsing.AttributeDict', ([content]) => dict(content)],
  ['lightning_fabric.utilities.data.AttributeDict', ([content]) => dict(content)],
  ['builtins.dict', ([content]) => dict(content)],
  ['builtins.list', ([content]) => (content === undefined ? [] : list(content))],
  ['builtins.tuple', ([content]) => (content === undefined ? [] : list(content))],
  ['builtins.set', ([content]) => new Set(content === undefined ? [] : list(content))],
  ['builtins.frozenset', ([content]) => new Set(content === undefined ? [] : list(content))],
  ['_codecs.encode', latin1],
  ['numpy.dtype', ([code]) => numpyType(code)],
  ['numpy.core.multiarray.scalar', numpyScalar],
]);

/** storage, offset, shape, strides; what follows (requires_grad, hooks) has no meaning here. */
function tensor([storage, offset, shape, strides]: readonly Value[], label: string): TorchTensor {
  if (typeof offset !== 'number') throw new Error('the offset of a tensor is not a number');
  return new TorchTensor(instance(Storage, storage), numbers(shape), numbers(strides), offset, label);
}

/** The state of a dict: nothing, another dict, or a list of pairs. */
function dict(content: Value | undefined): Map<Value, Value> {
  if (content === undefined) return new Map();
  if (content instanceof Map) return content;
  return new Map(
    list(content).map((pair) => {
      const [key, value] = list(pair);
      if (key === undefined || value === undefined) throw new Error('an item of a dict is not a pair');
      return [key, value];
    }),
  );
}

/** How the older pickle protocols write bytes: as text of the same code points. */
function latin1([text, encoding]: readonly Value[]): Uint8Array {
  if (typeof text !== 'string' || encoding !== 'latin1') throw new Error('bytes are not encoded as latin1');
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** Reads one little-endian number, by the type's code. */
const NUMPY_READERS: ReadonlyMap<string, (view: DataView) => Value> = new Map<string, (view: DataView) => Value>([
  ['f8', (view) => view.getFloat64(0, true)],
  ['f4', (view) => view.getFloat32(0, true)],
  ['i8', (view) => integer(view.getBigInt64(0, true))],
  ['i4', (view) => view.getInt32(0, true)],
  ['u1', (view) => view.getUint8(0)],
  ['b1', (view) => view.getUint8(0) !== 0],
]);

function numpyType(code: Value | undefined): NumpyType {
  if (typeof code !== 'string' || !NUMPY_READERS.has(code)) throw new Error('a numpy number has an unknown type');
  return new NumpyType(code);
}

function numpyScalar([type, bytes]: readonly Value[]): Value {
  const { code } = instance(NumpyType, type);
  const raw = instance(Uint8Array, bytes);
  if (raw.length !== Number(code[1])) throw new Error('a numpy number has the wrong size');
  return NUMPY_READERS.get(code)!(new DataView(raw.buffer, raw.byteOffset, raw.byteLength));
}

/** A whole number as `number` where that is exact. */
export function integer(value: bigint): number | bigint {
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}

function list(value: Value | undefined): Value[] {
  if (!Array.isArray(value)) throw new Error('a list is expected');
  return value;
}

function numbers(value: Value | undefined): number[] {
  return list(value).map((entry) => {
    if (typeof entry !== 'number') throw new Error('the shape of a tensor is not made of numbers');
    return entry;
  });
}

function instance<T>(type: abstract new (...args: never[]) => T, value: Value | undefined): T {
  if (!(value instanceof type)) throw new Error(`a ${type.name} is expected`);
  return value;
}
