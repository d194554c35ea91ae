/** What a value has wrong, in words. */

import type * as z from 'zod';

/**
 * What to give instead of a value that a schema has refused: "give a number above 0". Messages that a schema has of its
 * own stay.
 */
export function complaintOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small': {
      const least = Number(issue.minimum);
      if (issue.origin === 'string') return least === 1 ? 'give a text' : `give a text of at least ${least} characters`;
      if (issue.origin === 'array') return `give a list of at least ${least}`;
      return issue.inclusive ? `give a number of at least ${least}` : `give a number above ${least}`;
    }
    case 'too_big': {
      const most = Number(issue.maximum);
      if (issue.origin === 'string') return `give a text of at most ${most} characters`;
      if (issue.origin === 'array') return `give a list of at most ${most}`;
      return issue.inclusive ? `give a number of at most ${most}` : `give a number below ${most}`;
    }
    case 'invalid_type':
      return `give ${TYPES[issue.expected] ?? `a value of type ${issue.expected}`}`;
    case 'invalid_value':
      return `give ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    default:
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'settings by name',
};
