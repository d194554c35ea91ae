/** The launcher and the library of MPI, where systems keep them. */

import fs from 'node:fs';
import path from 'node:path';

export interface Mpi {
  readonly launcher: string | undefined;
  readonly library: string | undefined;
}

const LAUNCHERS = ['mpirun', 'mpiexec', 'mpirun.exe', 'mpiexec.exe'];
const LIBRARY = /^(libmpi(ch)?\.(so|dylib)|msmpi\.dll)/;

/** The launcher of MPI on the path, and its library where systems keep libraries. */
export function findMpi(env: Readonly<Record<string, string | undefined>> = process.env): Mpi {
  const folders = (list: string | undefined) => (list ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const paths = folders(env.PATH);
  const standard = ['/usr/lib', '/usr/local/lib', '/usr/lib64', '/opt/homebrew/lib'];
  const multiarch = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((name) => `/usr/lib/${name}`);
  const libraries = [...folders(env.LD_LIBRARY_PATH), ...standard, ...multiarch, ...paths];
  const launcher = paths
    .flatMap((folder) => LAUNCHERS.map((name) => path.join(folder, name)))
    .find((file) => fs.existsSync(file));
  const library = libraries
    .flatMap((folder) => namesIn(folder).map((name) => path.join(folder, name)))
    .find((file) => LIBRARY.test(path.basename(file)));
  return { launcher, library };
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
