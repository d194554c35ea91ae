import { expect, it } from 'vitest';
import { tinyStages } from '../../../test/support/tiny-stages.ts';
import { ALONE } from '../../mpi/ranks.ts';
import { assertSameInputs } from './drift.ts';

it('a rank with other settings, another seed or other pictures is named, with what differs', async () => {
  const pictures = (...ids: string[]) => ({ size: ids.length, contentId: (i: number) => ids[i]! });
  const settings = { recipe: tinyStages, seed: 1 };
  let first: Uint8Array | undefined;
  const gather = async (bytes: Uint8Array) => {
    first ??= bytes;
    return [first, bytes];
  };
  const compared = { ...ALONE, size: 2, gather };
  await assertSameInputs(compared, settings, pictures('a', 'b'));
  await expect(assertSameInputs(compared, settings, pictures('a', 'c'))).rejects.toThrow(
    /^rank 1 differs from rank 0 in the pictures: start all/,
  );
  const other = { recipe: { ...tinyStages, clip: { ...tinyStages.clip, batch: 99 } }, seed: 2 };
  await expect(assertSameInputs(compared, other, pictures('a', 'b'))).rejects.toThrow(
    /in the clip settings and the seed:/,
  );
});
