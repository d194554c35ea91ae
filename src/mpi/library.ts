/**
 * The MPI library of the machine, through koffi: the few calls that are needed, with the handles of Open MPI (addresses
 * of exported globals) or of MPICH and its kin (integers fixed by their ABI).
 */

import type { KoffiFunc, LibraryHandle } from 'koffi';
import { UserError } from '../base/errors.ts';

/** A communicator, data type, operation or request: an address, or a number. */
export type Handle = unknown;
/** Where the library writes a handle. */
type Cell = BigUint64Array | Int32Array;
type Pointer = ArrayBufferView | bigint | null;

type Transfer = KoffiFunc<
  (from: Pointer, n: number, type: Handle, to: Pointer, m: number, toType: Handle, comm: Handle) => number
>;

export interface MpiLibrary {
  readonly name: string;
  readonly world: Handle;
  readonly byte: Handle;
  readonly float: Handle;
  readonly double: Handle;
  readonly sum: Handle;
  readonly max: Handle;
  /** In the place of the data to be sent: what is received overwrites it. */
  readonly inPlace: bigint;
  readonly initThread: KoffiFunc<(argc: null, argv: null, required: number, provided: Int32Array) => number>;
  readonly rank: KoffiFunc<(comm: Handle, rank: Int32Array) => number>;
  readonly size: KoffiFunc<(comm: Handle, size: Int32Array) => number>;
  /** A communicator of the same ranks whose calls meet none of the other's. */
  readonly duplicate: (comm: Handle) => Handle;
  /** Room for a handle. */
  readonly cell: () => Cell;
  readonly beginBarrier: KoffiFunc<(comm: Handle, request: Cell) => number>;
  /** Whether what was begun has come to its end. */
  readonly test: KoffiFunc<(request: Cell, flag: Int32Array, status: Uint8Array) => number>;
  readonly allreduce: KoffiFunc<
    (from: Pointer, to: Pointer, count: number, type: Handle, op: Handle, comm: Handle) => number
  >;
  readonly broadcast: KoffiFunc<(data: Pointer, count: number, type: Handle, root: number, comm: Handle) => number>;
  readonly allgather: Transfer;
  readonly allToAll: Transfer;
  readonly allgatherv: KoffiFunc<
    (
      ...args: readonly [
        ...[from: Pointer, n: number, type: Handle, to: Pointer],
        ...[counts: Int32Array, places: Int32Array, toType: Handle, comm: Handle],
      ]
    ) => number
  >;
  readonly send: KoffiFunc<
    (data: Pointer, count: number, type: Handle, to: number, tag: number, comm: Handle) => number
  >;
  readonly probe: KoffiFunc<(from: number, tag: number, comm: Handle, flag: Int32Array, status: Uint8Array) => number>;
  readonly receive: KoffiFunc<
    (
      ...args: readonly [
        ...[data: Pointer, count: number, type: Handle, from: number],
        ...[tag: number, comm: Handle, status: Uint8Array],
      ]
    ) => number
  >;
  readonly abort: KoffiFunc<(comm: Handle, code: number) => number>;
  readonly finalize: KoffiFunc<() => number>;
  /** Any source, for `probe`. */
  readonly anySource: number;
  /** Ends the process at once, as a process must that has run MPI: its library does not survive an orderly exit. */
  readonly exit: KoffiFunc<(code: number) => void>;
}

const OPEN_MPI = ['libmpi.so.40', 'libmpi.so.80', 'libmpi.so', 'libmpi.40.dylib', 'libmpi.dylib'];
const MPICH = ['libmpi.so.12', 'libmpich.so.12', 'libmpich.so', 'libmpi.12.dylib'];
/** Bytes of stack that a call in another thread has. koffi's 128 KB are not enough for sums of MPICH. */
const STACK = 2 ** 22;
const LIBC = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libSystem.B.dylib'];

/**
 * Load the MPI library: the file that the environment names as CLIPVQ_MPI, or the first that the system finds, those
 * of the launcher's kin first.
 * @throws UserError if there is none, with the package to install.
 */
export async function loadMpi(env: NodeJS.ProcessEnv = process.env): Promise<MpiLibrary> {
  // UCX, on which MPICH is built, watches memory by taking malloc's place, beside the allocator of Node: with MPICH 4.0
  // nine of 508 jobs of three ranks died of it at their start, and none of 339 without.
  env.UCX_MEM_EVENTS ??= 'n';
  const koffi = (await import('koffi')).default;
  koffi.config({ ...koffi.config(), async_stack_size: STACK });
  const first = (names: readonly string[]): { readonly name: string; readonly lib: LibraryHandle } | undefined => {
    for (const name of names) {
      try {
        return { name, lib: koffi.load(name) };
      } catch {
        // The next may be there.
      }
    }
    return undefined;
  };
  const named = env.CLIPVQ_MPI;
  const kin = env.PMI_RANK !== undefined && env.OMPI_COMM_WORLD_RANK === undefined;
  const found = first(named ? [named] : kin ? [...MPICH, ...OPEN_MPI] : [...OPEN_MPI, ...MPICH]);
  const libc = first(LIBC);
  if (!found || !libc)
    throw new UserError(
      named
        ? `CLIPVQ_MPI: ${named} is no library that can be loaded`
        : 'This process was started by an MPI launcher, and no MPI library is here: install libopenmpi3 (Debian, Ubuntu: apt install openmpi-bin libopenmpi3), openmpi (Fedora, Homebrew), or name the library with CLIPVQ_MPI',
    );
  // Open MPI ends the process where it cannot reach its launcher: that is too late for a line of our own.
  const isPmi = env.SLURM_STEP_ID !== undefined && env.PMI_RANK !== undefined && env.PMIX_RANK === undefined;
  if (isPmi && !named && isOpenMpi(found.lib))
    throw new UserError(
      `srun --mpi=pmi2 is for MPICH, and the library here is Open MPI (${found.name}): use srun --mpi=pmix, or name a library that goes with it with CLIPVQ_MPI`,
    );
  return bind(found.name, found.lib, libc.lib);
}

const isOpenMpi = (lib: LibraryHandle): boolean => hasSymbol(lib, 'ompi_mpi_comm_world');

function bind(name: string, lib: LibraryHandle, libc: LibraryHandle): MpiLibrary {
  const isOpen = isOpenMpi(lib);
  const H = isOpen ? 'void *' : 'int';
  const handle = (symbol: string, number: number): Handle => (isOpen ? lib.symbol(symbol) : number);
  const f = (called: string, ...types: string[]) => lib.func(called, 'int', types);
  const cell = (): Cell => (isOpen ? new BigUint64Array(1) : new Int32Array(1));
  const duplicate: KoffiFunc<(comm: Handle, made: Cell) => number> = f('MPI_Comm_dup', H, 'void *');
  const transfer = ['void *', 'int', H, 'void *', 'int', H, H];
  return {
    name: `${name} (${isOpen ? 'Open MPI' : 'MPICH'})`,
    world: handle('ompi_mpi_comm_world', 0x44000000),
    byte: handle('ompi_mpi_byte', 0x4c00010d),
    float: handle('ompi_mpi_float', 0x4c00040a),
    double: handle('ompi_mpi_double', 0x4c00080b),
    sum: handle('ompi_mpi_op_sum', 0x58000003),
    max: handle('ompi_mpi_op_max', 0x58000001),
    inPlace: isOpen ? 1n : 0xffffffffffffffffn,
    initThread: f('MPI_Init_thread', 'void *', 'void *', 'int', 'void *'),
    rank: f('MPI_Comm_rank', H, 'void *'),
    size: f('MPI_Comm_size', H, 'void *'),
    duplicate(comm) {
      const made = cell();
      check(duplicate(comm, made), 'MPI_Comm_dup');
      return made[0];
    },
    cell,
    beginBarrier: f('MPI_Ibarrier', H, 'void *'),
    test: f('MPI_Test', 'void *', 'void *', 'void *'),
    allreduce: f('MPI_Allreduce', 'void *', 'void *', 'int', H, H, H),
    broadcast: f('MPI_Bcast', 'void *', 'int', H, 'int', H),
    allgather: f('MPI_Allgather', ...transfer),
    allToAll: f('MPI_Alltoall', ...transfer),
    allgatherv: f('MPI_Allgatherv', 'void *', 'int', H, 'void *', 'void *', 'void *', H, H),
    send: f('MPI_Send', 'void *', 'int', H, 'int', 'int', H),
    probe: f('MPI_Iprobe', 'int', 'int', H, 'void *', 'void *'),
    receive: f('MPI_Recv', 'void *', 'int', H, 'int', 'int', H, 'void *'),
    abort: f('MPI_Abort', H, 'int'),
    finalize: f('MPI_Finalize'),
    anySource: isOpen ? -1 : -2,
    exit: libc.func('_exit', 'void', ['int']),
  };
}

/** @throws Error if a call of the library has failed. */
export function check(code: number, call: string): void {
  if (code !== 0) throw new Error(`${call} has failed with code ${code}`);
}

function hasSymbol(lib: LibraryHandle, name: string): boolean {
  try {
    lib.symbol(name);
    return true;
  } catch {
    return false;
  }
}
