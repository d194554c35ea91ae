/**
 * How messages name the caller's options: as a program writes them, between backquotes. The command line
 * prints its flags in their place (`cli/flags.ts`).
 */

export type OptionValue = string | number | true;

/** An option, with the value that is meant if it takes one: `resume`, `stages: "clip"`. */
export const option = (name: string, value: OptionValue = true): string =>
  value === true ? `\`${name}\`` : `\`${entry([name, value])}\``;

/** A call that trains a run further: `train({ run: "hats", resume: true, changed: "restart" })`. */
export const resumeCall = (run: string, options: Readonly<Record<string, OptionValue>> = {}): string =>
  `\`train({ ${Object.entries({ run, resume: true, ...options })
    .map(entry)
    .join(', ')} })\``;

const entry = ([name, value]: [string, unknown]): string => `${name}: ${JSON.stringify(value)}`;
