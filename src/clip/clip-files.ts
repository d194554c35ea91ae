/** The files of a dual encoder in the layout of @huggingface/transformers, and which of several versions to take. */

/** Needed by all. */
const COMMON = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'tokenizer_config.json'] as const;
/** Taken along where they exist. */
const OPTIONAL = ['processor_config.json'] as const;

/** Needed files as messages name them. */
export const LAYOUT = `${COMMON.join(', ')}, onnx/text_model.onnx and onnx/vision_model.onnx`;

/** Precisions by the ending of their files, the best first. */
const PRECISIONS = [
  { dtype: 'fp32', ending: '' },
  { dtype: 'fp16', ending: '_fp16' },
  { dtype: 'q8', ending: '_quantized' },
] as const;

export type Precision = (typeof PRECISIONS)[number]['dtype'];

/** The networks: one for each side, or one that takes pictures and texts at once. */
export interface Networks {
  readonly kind: 'towers' | 'joint';
  readonly dtype: Precision;
  readonly files: readonly string[];
}

/**
 * The networks among the files of a model, or undefined if there are none. Towers are preferred, and full precision.
 */
export function networksAmong(files: readonly string[]): Networks | undefined {
  const has = (name: string) => files.includes(name);
  for (const { dtype, ending } of PRECISIONS) {
    const towers = ['text_model', 'vision_model'].map((name) => `onnx/${name}${ending}.onnx`);
    if (towers.every(has)) return { kind: 'towers', dtype, files: towers };
    const joint = `onnx/model${ending}.onnx`;
    if (has(joint)) return { kind: 'joint', dtype, files: [joint] };
  }
  return undefined;
}

/**
 * All files to have of a model, with weights that are kept beside their networks; or, as a verb and object, what is
 * missing.
 */
export function chooseFiles(files: readonly string[]): readonly string[] | string {
  const missing = COMMON.find((name) => !files.includes(name));
  if (missing !== undefined) return `lacks ${missing}`;
  const networks = networksAmong(files);
  if (!networks) return 'lacks onnx/text_model.onnx and onnx/vision_model.onnx';
  const beside = networks.files.flatMap((name) => files.filter((file) => file.startsWith(`${name}_data`)));
  return [...COMMON, ...OPTIONAL.filter((name) => files.includes(name)), ...networks.files, ...beside];
}
