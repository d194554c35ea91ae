/** Values of unknown shape, such as those of JSON files. */

/** What a record holds under a key; undefined for whatever is no record. */
export const recordIn = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
