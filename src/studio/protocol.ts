/**
 * What the page of the studio and its server exchange, as types alone: this file runs anywhere and imports nothing.
 *
 * Every address below needs the cookie that `GET /?token=…` sets. JSON goes in and comes out, but for pictures, uploads
 * and events. What cannot be done is answered by a status from 400 on and a `Failure`. Ids are letters and digits;
 * nothing takes a path.
 *
 * ```
 * GET    /api/state                      StudioState
 * GET    /api/events                     server-sent events: each message is one StudioEvent, with an id; the first,
 *                                        also after reconnecting, is `present`
 *
 * POST   /api/jobs                       JobRequest -> Job                      201
 * DELETE /api/jobs/:id                   cancel one, or take a finished one off the list -> { }
 * POST   /api/jobs/:id/move              Move -> JobList
 * POST   /api/jobs/:id/pause             -> Job   drawing halts before its next step; training stops with a checkpoint
 * POST   /api/jobs/:id/resume            -> Job
 * GET    /api/jobs/:id/animation.webp    the pictures of a finished interpolation
 *
 * GET    /api/pictures?search=&rating=&kept=1&kind=&job=&before=&limit=     PictureList, newest first
 * GET    /api/pictures/:id               Picture
 * GET    /api/pictures/:id.png           the file; with ?download=1 as an attachment
 * POST   /api/pictures/:id               PictureChange -> Picture
 * DELETE /api/pictures/:id               -> { }
 * POST   /api/pictures/import?name=…     the bytes of a picture file -> Imported      201
 *
 * GET    /api/presets?data=              PresetList; the first call measures the machine and takes seconds
 * GET    /api/data                       DataList: roots, uploaded sets, built-in sources
 * GET    /api/data/:id                   DataFolder: what lies in a folder
 * GET    /api/data/:id/check             DataCheck of the last `check` job of it; 404 before
 * GET    /api/data/:id/sheet.png         pictures of it, after such a job
 * POST   /api/data/upload?name=…         the bytes of a zip -> DataEntry        201
 * DELETE /api/data/:id                   an uploaded set -> { }
 *
 * GET    /api/runs                       RunList
 * GET    /api/runs/compare?a=&b=         RunComparison
 * GET    /api/runs/:id                   RunDetails
 * GET    /api/runs/:id/sheets/:name      a sheet as PNG, by the name that RunDetails gives
 * POST   /api/runs/:id/pause             -> Run   the same as pausing its job
 * POST   /api/runs/:id/resume            -> Job
 * POST   /api/model                      ModelChoice -> ModelFacts: what Create draws with from here on
 *
 * GET    /api/reports                    ReportList
 * GET    /api/reports/:id/page           the report as a page of its own, without scripts
 * DELETE /api/reports/:id                -> { }
 * ```
 */

export interface Failure {
  /** One line: what, where, what to do. */
  readonly error: string;
}

/** A date and time, ISO 8601. */
export type Time = string;

// ----------------------------------------------------------------------------------------------------------------
// state

export interface StudioState {
  readonly version: string;
  readonly model: ModelFacts;
  /** Every sampling setting, in the order in which forms show them. */
  readonly settings: readonly SettingFacts[];
  readonly samplers: readonly SamplerFacts[];
  readonly limits: Limits;
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

// -----------------------------------------------------------------------------------------------------------------
// jobs

/** Sampling settings by name; those that are left out are the recipe's. */
export type DrawSettings = Readonly<Record<string, SettingValue>>;

/** What all drawing takes. */
export interface Drawing {
  /** Of the first picture; the next ones count up. Left out: one is chosen, and stands in the job's request. */
  readonly seed?: number | undefined;
  readonly negative?: string | undefined;
  readonly settings?: DrawSettings | undefined;
}

export interface CreateRequest extends Drawing {
  readonly kind: 'create';
  readonly prompt: string;
  readonly count?: number | undefined;
  readonly bestOf?: number | undefined;
}

/** New pictures near one of the history. */
export interface VaryRequest extends Drawing {
  readonly kind: 'vary';
  readonly picture: string;
  /** Left out: what the picture shows is the condition. */
  readonly prompt?: string | undefined;
  readonly count?: number | undefined;
  /** Share of the chain that is drawn anew, above 0 up to 1. */
  readonly strength: number;
}

/** An end of an interpolation: a text, or a picture of the history as the CLIP sees it. */
export type End = { readonly prompt: string } | { readonly picture: string };

export interface InterpolateRequest extends Drawing {
  readonly kind: 'interpolate';
  readonly from: End;
  readonly to: End;
  /** Pictures, both ends included. */
  readonly frames?: number | undefined;
}

/** A picture with a part of it drawn anew. */
export interface RepaintRequest extends Drawing {
  readonly kind: 'repaint';
  readonly picture: string;
  /** Left out: that of the picture. */
  readonly prompt?: string | undefined;
  /** `0` (stays) or `1` (is drawn anew) for every place of the model's grid, row by row: grid · grid characters. */
  readonly mask: string;
  readonly strength?: number | undefined;
  readonly count?: number | undefined;
}

export interface TrainRequest {
  readonly kind: 'train';
  /** Id of a `DataEntry`. */
  readonly data: string;
  readonly preset: string;
  /** What the run is called, also its folder: letters, digits, `-` and `_`. Left out: made from data and preset. */
  readonly name?: string | undefined;
  readonly seed?: number | undefined;
  /** About how long training may take; left out: as long as the preset takes. */
  readonly minutes?: number | undefined;
  /** No stage longer than this; not together with `minutes`. */
  readonly maxSteps?: number | undefined;
  /** Prompts of the sample sheets. */
  readonly prompts?: readonly string[] | undefined;
  /** Recipe settings by path, as `clipvq train --set`. */
  readonly changes?: Readonly<Record<string, string>> | undefined;
  /** `compact`, `shipped`, or left out for the default of the data. */
  readonly clip?: 'compact' | 'shipped' | undefined;
}

/** Goes on with a run; what `POST /api/runs/:id/resume` makes. */
export interface ResumeRequest {
  readonly kind: 'resume';
  readonly run: string;
}

/** Measures a model; the report is in `GET /api/reports`. */
export interface EvaluateRequest {
  readonly kind: 'evaluate';
  /** A run; left out: the open model. */
  readonly run?: string | undefined;
  /** Id of a `DataEntry`; left out: the pictures that the run has held out. */
  readonly data?: string | undefined;
  /** At most so many pictures of it. */
  readonly pictures?: number | undefined;
  readonly prompts?: readonly string[] | undefined;
  /** Pictures a prompt. */
  readonly count?: number | undefined;
  readonly seed?: number | undefined;
}

/** Looks at every picture of a set; the result is in `GET /api/data/:id/check`. */
export interface CheckRequest {
  readonly kind: 'check';
  readonly data: string;
}

export type DrawRequest = CreateRequest | VaryRequest | InterpolateRequest | RepaintRequest;
export type JobRequest = DrawRequest | TrainRequest | ResumeRequest | EvaluateRequest | CheckRequest;
export type JobKind = JobRequest['kind'];

export type JobState = 'waiting' | 'running' | 'paused' | 'done' | 'failed' | 'cancelled';

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  /** In words: the prompt, the run, the folder. */
  readonly title: string;
  readonly state: JobState;
  /** What was requested, with the seed that was chosen. */
  readonly request: JobRequest;
  readonly created: Time;
  readonly started: Time | undefined;
  readonly ended: Time | undefined;
  readonly progress: Progress | undefined;
  /** Why it failed. */
  readonly error: string | undefined;
  /** What should be known, such as words that the model has not learned. */
  readonly notes: readonly string[];
  /** Ids of its pictures in the history, in order. */
  readonly pictures: readonly string[];
  /** The run that it trains or measures. */
  readonly run: string | undefined;
  readonly report: string | undefined;
}

export interface Progress {
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
  /** What is being done, such as `sampling` or `diffusion`. */
  readonly what: string;
  /** Seconds left, where they can be told. */
  readonly left: number | undefined;
}

/**
 * Drawing jobs, in the order in which they are drawn, then training and others; finished ones behind, the newest first.
 */
export interface JobList {
  readonly jobs: readonly Job[];
}

/** Put a waiting job in front of another one; null puts it last. */
export interface Move {
  readonly before: string | null;
}

/** Pictures of a running job on their way. */
export interface Preview {
  readonly job: string;
  readonly step: number;
  readonly steps: number;
  /** Place of the first of them among all pictures that the job draws, candidates included. */
  readonly first: number;
  readonly grid: number;
  readonly frames: readonly PreviewFrame[];
}

export interface PreviewFrame {
  /** A PNG, in base64. */
  readonly png: string;
  /** `1` where a place is still masked, `0` elsewhere, row by row: grid · grid characters. */
  readonly masked: string;
  readonly seed: number;
  readonly prompt: string;
}

// ---------------------------------------------------------------------------------------------------------------
// events

export type StudioEvent =
  /** All that there is now: the first event of every connection. */
  | {
      readonly type: 'present';
      readonly jobs: readonly Job[];
      readonly previews: readonly Preview[];
      readonly model: ModelFacts;
      readonly runs: readonly Run[];
    }
  /** A job is new or has changed. */
  | { readonly type: 'job'; readonly job: Job }
  /** Jobs have another order, or are fewer. */
  | { readonly type: 'jobs'; readonly jobs: readonly Job[] }
  | { readonly type: 'preview'; readonly preview: Preview }
  /** A picture is new in the history, or has changed. */
  | { readonly type: 'picture'; readonly picture: Picture }
  | { readonly type: 'picture-gone'; readonly id: string }
  /** A run is new, has trained further, or has another state. */
  | { readonly type: 'run'; readonly run: Run; readonly numbers: readonly LogEntry[] }
  /** Another model, or another state of it: `GET /api/state` has changed, too. */
  | { readonly type: 'model'; readonly model: ModelFacts }
  /** `GET /api/reports` or `GET /api/data` has changed. */
  | { readonly type: 'reports' }
  | { readonly type: 'data' };

// -------------------------------------------------------------------------------------------------------------
// pictures

export type PictureKind = 'create' | 'vary' | 'interpolate' | 'repaint' | 'import';

export interface Picture {
  readonly id: string;
  readonly kind: PictureKind;
  /** Also the alt text. Of an imported picture that is none of ours: its file name. */
  readonly prompt: string;
  readonly negative: string | undefined;
  /** Undefined for an imported picture that is none of ours; so are `settings` and `model`. */
  readonly seed: number | undefined;
  /** All sampling settings that it was drawn with. */
  readonly settings: DrawSettings | undefined;
  /** Hash of the model that drew it. */
  readonly model: string | undefined;
  /** Cosine of picture and prompt, in [-1, 1]. */
  readonly clipScore: number | undefined;
  readonly bestOf: number;
  readonly width: number;
  readonly height: number;
  /** 0 is none, 5 the best. */
  readonly rating: number;
  readonly isKept: boolean;
  readonly created: Time;
  readonly job: string | undefined;
  /** Pictures that it was made from, which may be gone. */
  readonly parents: readonly string[];
  readonly strength: number | undefined;
  /** As in `RepaintRequest`. */
  readonly mask: string | undefined;
}

export interface PictureList {
  readonly pictures: readonly Picture[];
  /** All that fit the search. */
  readonly total: number;
  /** For `before`, to go on; undefined at the end. */
  readonly next: string | undefined;
}

/** What is left out stays. */
export interface PictureChange {
  readonly rating?: number | undefined;
  readonly isKept?: boolean | undefined;
}

export interface Imported {
  readonly picture: Picture;
  /** Whether its own text says how it was drawn; then prompt, seed and settings are in `picture`. */
  readonly isOurs: boolean;
  /** Such as that another model drew it. */
  readonly notes: readonly string[];
}

// --------------------------------------------------------------------------------------------------------------- data

export interface DataEntry {
  readonly id: string;
  readonly name: string;
  /** `folder` and `archive` lie under a root, `set` was uploaded, `builtin` is drawn. */
  readonly kind: 'folder' | 'archive' | 'set' | 'builtin';
  /** Files that are called like pictures; undefined where nobody has counted. */
  readonly pictures: number | undefined;
  readonly bytes: number | undefined;
}

export interface DataList {
  readonly builtin: readonly DataEntry[];
  readonly sets: readonly DataEntry[];
  /** Folders that the server was given with --data. */
  readonly roots: readonly DataEntry[];
}

export interface DataFolder {
  readonly folder: DataEntry;
  /** From the root down, without the folder itself. */
  readonly above: readonly DataEntry[];
  readonly entries: readonly DataEntry[];
  /** Whether there were more than are listed. */
  readonly isCut: boolean;
}

export interface Counted {
  readonly what: string;
  readonly count: number;
}

export interface DataCheck {
  readonly data: string;
  readonly time: Time;
  /** Pictures that can be used. */
  readonly accepted: number;
  /** Files that cannot, by reason. */
  readonly rejected: readonly Counted[];
  readonly formats: readonly Counted[];
  readonly shapes: readonly Counted[];
  readonly bytes: number;
  readonly width: Spread;
  readonly height: Spread;
  /** Pictures with a short side of less than `side` pixels. */
  readonly tiny: { readonly side: number; readonly count: number };
  readonly animated: number;
  readonly notSquare: { readonly count: number; readonly cut: number };
  /** Groups that are equal byte for byte, and that look the same. */
  readonly exactDuplicates: number;
  readonly nearDuplicates: number;
  /** The first names of what was left out, with the reason. */
  readonly examples: readonly { readonly name: string; readonly reason: string }[];
  readonly hasSheet: boolean;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface PresetList {
  readonly presets: readonly PresetFacts[];
  /** Of this machine, relative to the reference machine. */
  readonly speed: number;
  /** Paths that `TrainRequest.changes` may name, with one line each. */
  readonly settings: readonly { readonly name: string; readonly description: string }[];
}

export interface PresetFacts {
  readonly name: string;
  readonly imageSize: number;
  readonly grid: number;
  readonly codes: number;
  /** Million parameters. */
  readonly parameters: number;
  /** Seconds, with the pictures of `data` where it was named. */
  readonly seconds: number;
  readonly range: readonly [number, number];
  readonly memoryGB: number;
  readonly stages: readonly { readonly stage: string; readonly steps: number; readonly seconds: number }[];
}

// -----------------------------------------------------------------------------------------------------------------
// runs

export interface Run {
  readonly id: string;
  readonly name: string;
  readonly preset: string;
  /** In words: `faces`, the name of a folder. */
  readonly data: string;
  /** `stopped`: steps are left, and nobody trains it. */
  readonly state: 'starting' | 'training' | 'stopped' | 'done' | 'failed';
  /** The last line of a training that ended badly. */
  readonly error: string | undefined;
  readonly stages: readonly StageFacts[];
  readonly lastActivity: Time;
  /** Whether it generates. */
  readonly isModel: boolean;
  /** Whether this studio can pause it: it trains on this machine. */
  readonly canPause: boolean;
  /** Steps a second, lately, and seconds left of the stage. */
  readonly rate: number | undefined;
  readonly left: number | undefined;
}

export interface StageFacts {
  readonly name: string;
  readonly step: number;
  readonly steps: number;
  readonly isDone: boolean;
}

export interface RunList {
  readonly runs: readonly Run[];
}

export interface LogEntry {
  readonly stage: string;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface CurveFacts {
  readonly stage: string;
  readonly name: string;
  /** One plain line, where there is one. */
  readonly description: string | undefined;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface SheetFacts {
  /** For `/api/runs/:id/sheets/:name`. */
  readonly name: string;
  readonly stage: string;
  readonly step: number;
}

export interface RunDetails {
  readonly run: Run;
  /** Recipe and further settings by path, as text. */
  readonly settings: Readonly<Record<string, string>>;
  readonly curves: readonly CurveFacts[];
  /** In order of stages and steps. */
  readonly sheets: readonly SheetFacts[];
  /** Codes in use and their perplexity, newest numbers; undefined before the tokenizer has any. */
  readonly codebook:
    | { readonly codes: number; readonly used: number | undefined; readonly perplexity: number | undefined }
    | undefined;
  /** The last lines that training has printed. */
  readonly log: readonly string[];
}

export interface RunComparison {
  readonly a: Run;
  readonly b: Run;
  readonly differences: readonly { readonly name: string; readonly a: string; readonly b: string }[];
  readonly curves: { readonly a: readonly CurveFacts[]; readonly b: readonly CurveFacts[] };
}

/** A run that generates; null is the model that the studio was started with. */
export interface ModelChoice {
  readonly run: string | null;
}

// --------------------------------------------------------------------------------------------------------------
// reports

export interface ReportFacts {
  readonly id: string;
  readonly model: string;
  readonly data: string;
  readonly time: Time;
  /** Every number of the report, by a path such as `reconstruction.psnr.mean`. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly hasPage: boolean;
}

export interface ReportList {
  readonly reports: readonly ReportFacts[];
}
