import { expect, it } from 'vitest';
import * as z from 'zod';
import { complaintOf } from './complaint.ts';

it.each([
  [z.number().positive(), 0, 'give a number above 0'],
  [z.number().min(2), 1, 'give a number of at least 2'],
  [z.number().max(1), 2, 'give a number of at most 1'],
  [z.number().lt(1), 1, 'give a number below 1'],
  [z.number(), Number.NaN, 'give a number'],
  [z.int(), 1.5, 'give a whole number'],
  [z.boolean(), 'yes', 'give true or false'],
  [z.string(), 1, 'give a text'],
  [z.string().max(3), 'long', 'give a text of at most 3 characters'],
  [z.array(z.int()).min(1), [], 'give a list of at least 1'],
  [z.enum(['a', 'b']), 'c', 'give one of a, b'],
  [z.string().regex(/^#/, 'write it as #rrggbb'), 'x', 'write it as #rrggbb'],
])('says what to give instead (%#)', (schema: z.ZodType, value: unknown, words) => {
  expect(complaintOf(schema.safeParse(value).error!.issues[0]!)).toBe(words);
});
