/** What the page may send, checked: everything else is refused in one line. */

import * as z from 'zod';
import { UserError } from '../../base/errors.ts';
import { settingSchemas } from '../../recipe/schema.ts';
import type { JobRequest, ModelChoice } from '../protocol.ts';
import { drawingSettings, limits } from '../state.ts';

const id = z.string().regex(/^[0-9a-z]{1,64}$/, 'is no id');
const text = z
  .string()
  .max(limits.prompt, `is longer than ${limits.prompt} characters: shorten it`)
  .refine((value) => !value.includes('\0'), 'holds a NUL character');
const prompt = text.refine((value) => value.trim() !== '', 'is empty: say what to make');
const seed = z.int().min(0).max(limits.seed);
const count = (most: number) => z.int().min(1).max(most);

/** Each setting by its own schema; a name that is none is refused. */
const settings = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).transform((given, context) => {
  const entries = Object.entries(given).map(([name, value]) => {
    const schema = Object.hasOwn(drawingSettings, name) ? drawingSettings[name] : undefined;
    const parsed = schema?.safeParse(value);
    if (!parsed?.success)
      context.addIssue({
        code: 'custom',
        path: [name],
        message: parsed?.error.issues[0]?.message ?? 'is no setting',
        input: value,
      });
    return [name, value] as const;
  });
  return Object.fromEntries(entries);
});

const drawing = { seed: seed.optional(), negative: text.optional(), settings: settings.optional() };
const strength = z.number().gt(0).max(1);
const end = z.union(
  [z.strictObject({ prompt }), z.strictObject({ picture: id })],
  'is neither { prompt } nor { picture }',
);

/** Settings of a recipe that name folders of this machine. */
const PLACES = ['clip.imageTower'];

const changes = z.record(z.string(), z.string().max(1000)).superRefine((given, context) => {
  for (const name of Object.keys(given))
    if (!settingSchemas.has(name) || PLACES.includes(name))
      context.addIssue({ code: 'custom', path: [name], message: 'is no setting that can be changed here' });
});

const prompts = z.array(prompt).max(64);

const jobRequest = z.discriminatedUnion('kind', [
  z.strictObject({
    ...{ kind: z.literal('create'), ...drawing, prompt },
    ...{ count: count(limits.pictures).optional(), bestOf: count(limits.bestOf).optional() },
  }),
  z.strictObject({
    ...{ kind: z.literal('vary'), ...drawing, picture: id, prompt: prompt.optional(), strength },
    count: count(limits.pictures).optional(),
  }),
  z.strictObject({
    ...{ kind: z.literal('interpolate'), ...drawing, from: end, to: end },
    frames: z.int().min(2).max(limits.frames).optional(),
  }),
  z.strictObject({
    ...{ kind: z.literal('repaint'), ...drawing, picture: id, prompt: prompt.optional() },
    mask: z
      .string()
      .max(2 ** 18)
      .regex(/^[01]+$/, 'is not made of 0 and 1'),
    ...{ strength: strength.optional(), count: count(limits.pictures).optional() },
  }),
  z.strictObject({
    ...{ kind: z.literal('train'), data: id, preset: z.string().max(40) },
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$/, 'is not made of letters, digits, - and _')
      .optional(),
    seed: seed.optional(),
    minutes: z.number().min(0.05).max(1e6).optional(),
    maxSteps: z.int().min(1).max(1e9).optional(),
    ...{ prompts: prompts.optional(), changes: changes.optional(), clip: z.enum(['compact', 'shipped']).optional() },
  }),
  z.strictObject({ kind: z.literal('resume'), run: id }),
  z.strictObject({
    ...{ kind: z.literal('evaluate'), run: id.optional(), data: id.optional(), prompts: prompts.optional() },
    ...{ pictures: count(100_000).optional(), count: count(64).optional(), seed: seed.optional() },
  }),
  z.strictObject({ kind: z.literal('check'), data: id }),
]);

/** @throws UserError naming what is wrong with a request. */
export const parseJob = (value: unknown): JobRequest => parsed(jobRequest, value);

const move = z.strictObject({ before: id.nullable() });
/** Which job another one is put in front of; null puts it last. @throws UserError naming what is wrong. */
export const parseMove = (value: unknown) => parsed(move, value);

const pictureChange = z.strictObject({
  rating: z.int().min(0).max(5).optional(),
  isKept: z.boolean().optional(),
});
/** A rating, and whether a picture is kept. @throws UserError naming what is wrong. */
export const parsePictureChange = (value: unknown) => parsed(pictureChange, value);

const modelChoice = z.strictObject({ run: id.nullable() });
/** The run that is to draw. @throws UserError naming what is wrong. */
export const parseModelChoice = (value: unknown): ModelChoice => parsed(modelChoice, value);

const search = z.object({
  search: z.string().max(limits.prompt).optional(),
  rating: z.coerce.number().int().min(0).max(5).optional(),
  kept: z.enum(['0', '1']).optional(),
  kind: z.enum(['create', 'vary', 'interpolate', 'repaint', 'import']).optional(),
  ...{ job: id.optional(), before: id.optional() },
  limit: z.coerce.number().int().min(1).max(200).default(60),
});

/** The words of a search, as the address has them; empty ones are none. */
export function parseSearch(query: Readonly<Record<string, string>>) {
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));
  const { kept, ...rest } = parsed(search, given);
  return { ...rest, kept: kept === undefined ? undefined : kept === '1' };
}

function parsed<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new UserError(`${path.length > 0 ? path.join('.') : 'The request'}: ${message}`);
}
