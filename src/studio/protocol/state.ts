/** What the page needs to know of the studio: the model, the settings of a drawing, limits. */

export interface StudioState {
  readonly version: string;
  readonly model: ModelFacts;
  /** Every sampling setting, in the order in which forms show them. */
  readonly settings: readonly SettingFacts[];
  readonly samplers: readonly SamplerFacts[];
  readonly limits: Limits;
  /** Steps of a training that a pause may lose, to be done again: 0 where it stops with a checkpoint. */
  readonly pauseLoses: number;
  /** Where the studio keeps everything, for people to read. */
  readonly folder: string;
}

export interface ModelFacts {
  /** The run that it is; undefined for the shipped model and one named on the command line. */
  readonly run: string | undefined;
  readonly name: string;
  /** `failed` says why in `error`. While it is `loading`, jobs wait. */
  readonly state: 'loading' | 'ready' | 'failed';
  readonly error: string | undefined;
  /** Identity of weights and recipe, 16 hex digits; undefined until it is ready. */
  readonly hash: string | undefined;
  readonly preset: string;
  /** Side of its pictures, in pixels. */
  readonly imageSize: number;
  /** Side of its grid of tokens. */
  readonly grid: number;
  /** Prompts that it is known to answer well, to begin with; none for models whose pictures are not known. */
  readonly examples: readonly string[];
}

export type SettingValue = string | number | boolean;

/** A sampling setting as the recipe's schema has it. */
export interface SettingFacts {
  /** As in `DrawSettings`. */
  readonly name: string;
  /** For a label. */
  readonly title: string;
  /** One plain line. */
  readonly description: string;
  readonly kind: 'choice' | 'whole' | 'number' | 'flag' | 'text';
  readonly choices: readonly string[] | undefined;
  readonly least: number | undefined;
  readonly most: number | undefined;
  /** Whether `least` itself is too little. */
  readonly isAbove: boolean;
  /** That of the open model's recipe. */
  readonly value: SettingValue;
  /** Samplers that use it; a setting that the chosen sampler does not use must be left out of a request. */
  readonly samplers: readonly string[];
}

export interface SamplerFacts {
  readonly name: string;
  readonly description: string;
  /** Steps that it can take with the open model. */
  readonly least: number;
  readonly most: number;
}

export interface Limits {
  /** Characters of a prompt. */
  readonly prompt: number;
  /** Pictures of one job. */
  readonly pictures: number;
  readonly bestOf: number;
  readonly frames: number;
  /** Jobs that wait. */
  readonly queue: number;
  /** Bytes of an uploaded picture, and of an uploaded set. */
  readonly pictureBytes: number;
  readonly setBytes: number;
  readonly setFiles: number;
  readonly seed: number;
}
