/** The line of a setting for people who have no files of the program beside them. */

/**
 * The schema's line as a sentence. What stands behind a semicolon on other settings and on documents is left out: a
 * page shows the limits in its controls.
 */
export function hintOf({ description = '' }: { readonly description?: string | undefined }): string {
  const line = description.replace(/; at most diffusion\.timesteps$|; docs\/.*$/, '');
  return line === '' ? '' : `${line[0]!.toUpperCase()}${line.slice(1)}.`.replace(/\.\.$/, '.');
}
