/** The order in which `npm test` runs files: the slow ones first, so that none of them runs on alone at the end. */

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The slowest first. Without this list a fresh clone goes by the size of the files, and some of these are short. */
const slow = [
  'test/webgpu/webgpu',
  'src/studio/studio',
  'test/cli/cli',
  // Not beside the first one, whose GPU in software leaves no processor to a browser.
  'src/publish/web',
  'test/browser/studio',
  'test/mpi/stages',
  'test/mpi/job',
  'test/mpi/train',
  'test/examples',
  'src/vqgan/micro-batches',
  'src/training/loop/guard',
  'test/package',
  'src/training/pipeline',
  'src/vqgan/adversarial',
  'test/kill',
  'test/mpi/commands',
  'test/cli/convert',
  'src/training/loop/trainer',
  'src/training/reports/sheets',
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
