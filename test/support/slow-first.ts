/** The order in which `npm test` runs files: the slow ones first, so that none of them runs on alone at the end. */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The slowest first. Without this list a fresh clone goes by the size of the files, and some of these are short. */
const slow = [
  'test/webgpu/webgpu',
  'test/cli/cli',
  'src/studio/studio',
  'src/publish/web',
  'test/mpi/train',
  'test/mpi/stages',
  'test/examples',
  'src/training/guard',
  // Not beside the first one, whose GPU in software leaves no processor to a browser.
  'test/browser/studio',
  'src/training/pipeline',
  'src/vqgan/micro-batches',
  'src/training/sheets',
  'test/cli/convert',
  'src/vqgan/adversarial',
  'test/package',
  'test/mpi/job',
  'test/mpi/commands',
  'test/kill',
];

/** Their place; those that keep a process to themselves stay in front, and the others behind. */
function placeOf({ moduleId, project }: TestSpecification): number {
  if (project.name === 'alone') return -1;
  const place = slow.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return place === -1 ? slow.length : place;
}

export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => placeOf(a) - placeOf(b));
  }
}
