/** This process as one rank of an MPI job. */

import os from 'node:os';
import { UserError } from '../base/errors.ts';
import { endLauncherIn } from './launcher.ts';
import { check, loadMpi, type MpiLibrary } from './library.ts';
import { meet } from './meeting.ts';
import type { Ranks, RankTimes } from './ranks.ts';
import { removeSharedMemory } from './shared-memory.ts';
import { BEAT_BYTES, isLast, lastBeat, packBeat, patienceOf, unpackBeat, Watch } from './watch.ts';

/** MPI_THREAD_MULTIPLE: signs of life are sent while a collective call waits in another thread. */
const THREADS = 3;
/** Of signs of life. */
const TAG = 7;
const BEAT_MS = 1000;
/** Milliseconds that ranks which fail are given to fail alike. */
const ALIKE_MS = 2000;
/** Milliseconds that the library is given to end a rank after another's failure. */
const OTHERS_MS = 5000;
/** Seconds that a launcher is given to end the others when a rank is lost. */
const LAUNCHER_SECONDS = 6;

export interface JobOptions {
  /** Seconds without a sign of life after which a rank counts as lost. */
  readonly timeout: number;
  /** Called with one line when a rank is lost, before the job ends. */
  readonly onLost: (line: string) => void;
  /** Called when the launcher on this machine is gone: nobody passes on what is printed any more. */
  readonly onOrphaned: () => void;
}

/** The ranks of the job that a launcher has started, as this one of them sees it. */
export class MpiJob implements Ranks {
  readonly times: { -readonly [Part in keyof RankTimes]: number } = { waiting: 0, communicating: 0 };
  /** Collective calls go out one after another: all ranks must make them in the same order. */
  private last: Promise<unknown> = Promise.resolve();
  private calls = 0;
  private waitingSince: number | undefined;
  private beats: NodeJS.Timeout | undefined;
  private hosts: readonly string[] = [];

  private constructor(
    private readonly mpi: MpiLibrary,
    /** For the end of the job alone: a rank that fails must not meet others in the middle of their work. */
    private readonly ending: MpiLibrary['world'],
    readonly rank: number,
    readonly size: number,
  ) {}

  /**
   * Join the job.
   * @throws UserError if there is no MPI library, or one that does not go with the launcher or with threads.
   */
  static async start(options: JobOptions, env: NodeJS.ProcessEnv = process.env): Promise<MpiJob> {
    const mpi = await loadMpi(env);
    const [provided, rank, size] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
    check(mpi.initThread(null, null, THREADS, provided), 'MPI_Init_thread');
    mpi.rank(mpi.world, rank);
    mpi.size(mpi.world, size);
    const expected = Number(env.OMPI_COMM_WORLD_SIZE ?? env.PMI_SIZE ?? env.SLURM_STEP_NUM_TASKS ?? 1);
    if (size[0] === 1 && expected > 1)
      throw new UserError(
        `${mpi.name} does not belong to the launcher, which has started ${expected} ranks: name the launcher's library with CLIPVQ_MPI`,
      );
    const job = new MpiJob(mpi, mpi.duplicate(mpi.world), rank[0]!, size[0]!);
    if (job.size === 1) return job;
    if (provided[0]! < THREADS)
      throw new UserError(`${mpi.name} was built without threads (MPI_THREAD_MULTIPLE): use another build`);
    const names = await job.gather(new TextEncoder().encode(os.hostname()));
    job.hosts = names.map((name) => new TextDecoder().decode(name));
    job.watch(options);
    return job;
  }

  /** Ranks on this machine, this one among them. */
  get neighbours(): number {
    return this.hosts.filter((host) => host === this.hosts[this.rank]).length || 1;
  }

  /** A rank's name in messages. */
  nameOf(rank: number): string {
    return `Rank ${rank} of ${this.size} (${this.hosts[rank] ?? 'unknown host'})`;
  }

  sum(data: Float32Array): Promise<void> {
    const { allreduce, inPlace, float, sum, world } = this.mpi;
    return this.call((done) => allreduce.async(inPlace, data, data.length, float, sum, world, done));
  }

  sumGradients(data: Float32Array): Promise<void> {
    return this.sum(data);
  }

  async max(values: readonly number[]): Promise<number[]> {
    const data = Float64Array.from(values);
    const { allreduce, inPlace, double, max, world } = this.mpi;
    await this.callTogether((done) => allreduce.async(inPlace, data, data.length, double, max, world, done));
    return [...data];
  }

  async gather(bytes: Uint8Array): Promise<Uint8Array[]> {
    const { allgather, allgatherv, byte, world } = this.mpi;
    const own = Float64Array.of(bytes.length);
    const lengths = new Float64Array(this.size);
    await this.callTogether((done) => allgather.async(own, 8, byte, lengths, 8, byte, world, done));
    const counts = Int32Array.from(lengths);
    const places = new Int32Array(this.size);
    for (let i = 1; i < this.size; i++) places[i] = places[i - 1]! + counts[i - 1]!;
    // An array without an element has no address.
    const all = new Uint8Array(Math.max(1, places.at(-1)! + counts.at(-1)!));
    const sent = bytes.length > 0 ? bytes : new Uint8Array(1);
    await this.call((done) => allgatherv.async(sent, bytes.length, byte, all, counts, places, byte, world, done));
    return Array.from(places, (at, i) => all.subarray(at, at + counts[i]!));
  }

  async exchange(parts: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const { allToAll, byte, world } = this.mpi;
    const length = parts[0]!.length;
    const [sent, received] = [new Uint8Array(this.size * length), new Uint8Array(this.size * length)];
    for (const [i, part] of parts.entries()) sent.set(part, i * length);
    await this.call((done) => allToAll.async(sent, length, byte, received, length, byte, world, done));
    return parts.map((_, i) => received.subarray(i * length, (i + 1) * length));
  }

  broadcast(bytes: Uint8Array): Promise<void> {
    const { broadcast, byte, world } = this.mpi;
    if (bytes.length === 0) return Promise.resolve();
    return this.callTogether((done) => broadcast.async(bytes, bytes.length, byte, 0, world, done));
  }

  barrier(): Promise<void> {
    return this.inTurn(() => this.meet());
  }

  /** Leave the job, which has done its work, and the process. */
  async leave(code: number): Promise<never> {
    await this.last;
    await this.allEnd();
    return this.end(code);
  }

  /**
   * End after a failure. If all ranks fail alike, rank 0 is the one to report it; if this one fails alone, it ends the
   * whole job.
   * @param report called where this rank is to say what has failed.
   */
  async fail(code: number, report: (name: string | undefined) => void): Promise<never> {
    if (this.rank === 0) report(undefined);
    const isAlike = await Promise.race([
      // What failed may be a collective call that never ends: this one does not wait for it.
      this.allEnd().then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, ALIKE_MS, false)),
    ]);
    if (isAlike) return this.end(code);
    if (this.rank !== 0) report(this.nameOf(this.rank));
    return this.abort(code);
  }

  /** Resolves once every rank has come to its end. */
  private allEnd(): Promise<void> {
    return meet(this.mpi, this.ending);
  }

  private end(code: number): never {
    clearInterval(this.beats);
    this.mpi.finalize();
    this.mpi.exit(code);
    throw new Error('the process is still there');
  }

  /**
   * End all ranks: by a last sign, and through the library. Where neither reaches them, the launcher does when this
   * process ends.
   */
  private abort(code: number): Promise<never> {
    clearInterval(this.beats);
    this.sendLast();
    removeSharedMemory();
    setTimeout(() => this.mpi.exit(code), ALIKE_MS);
    this.mpi.abort.async(this.mpi.world, code, () => this.mpi.exit(code));
    return new Promise(() => {});
  }

  /** Ranks with which signs are exchanged. */
  private get peers(): readonly number[] {
    return this.rank === 0 ? Array.from({ length: this.size - 1 }, (_, i) => i + 1) : [0];
  }

  private sendLast(): void {
    const data = packBeat(lastBeat(this.rank));
    for (const peer of this.peers)
      this.mpi.send.async(data, BEAT_BYTES, this.mpi.byte, peer, TAG, this.mpi.world, () => {});
  }

  /** Another rank has failed and said so. */
  private follow(): void {
    clearInterval(this.beats);
    if (this.rank === 0) this.sendLast();
    removeSharedMemory();
    setTimeout(() => this.mpi.exit(1), OTHERS_MS);
  }

  /** A collective call of the library, of ranks that have met a moment ago: it keeps a core busy until it ends. */
  private call(begin: (done: Done) => void): Promise<void> {
    return this.inTurn(() => this.timed('communicating', promised(begin)));
  }

  /** The same of ranks that meet for it, whenever they come. */
  private callTogether(begin: (done: Done) => void): Promise<void> {
    return this.inTurn(async () => {
      await this.meet();
      await this.timed('communicating', promised(begin));
    });
  }

  private meet(): Promise<void> {
    return this.timed('waiting', meet(this.mpi, this.mpi.world));
  }

  private async timed(kind: keyof RankTimes, work: Promise<void>): Promise<void> {
    const start = performance.now();
    try {
      await work;
    } finally {
      this.times[kind] += performance.now() - start;
    }
  }

  /** What all ranks do together, after all that they have begun before. */
  private inTurn(task: () => Promise<void>): Promise<void> {
    const now = this.last.then(async () => {
      this.calls++;
      this.waitingSince = performance.now() / 1000;
      try {
        await task();
      } finally {
        this.waitingSince = undefined;
      }
    });
    this.last = now.catch(() => {});
    return now;
  }

  /** Begin to send and to expect signs of life. */
  private watch({ timeout, onLost, onOrphaned }: JobOptions): void {
    const { mpi, rank, peers } = this;
    const seconds = () => performance.now() / 1000;
    const watch = new Watch(peers, patienceOf(rank, timeout), seconds());
    const sending = new Set<number>();
    const [flag, status, received] = [new Int32Array(1), new Uint8Array(64), new Float64Array(BEAT_BYTES / 8)];
    const hear = () => {
      for (;;) {
        mpi.probe(mpi.anySource, TAG, mpi.world, flag, status);
        if (flag[0] === 0) return false;
        mpi.receive(received, BEAT_BYTES, mpi.byte, mpi.anySource, TAG, mpi.world, status);
        const beat = unpackBeat(received);
        if (isLast(beat)) return true;
        watch.beat(beat, seconds());
      }
    };
    let checked = seconds();
    let launcher: number | undefined = process.ppid;
    const beat = () => {
      if (launcher !== undefined && process.ppid !== launcher) {
        launcher = undefined;
        onOrphaned();
      }
      const before = checked;
      checked = seconds();
      if (hear()) return this.follow();
      for (const peer of peers) {
        // One that does not get away is not followed by another.
        if (sending.has(peer)) continue;
        sending.add(peer);
        const data = packBeat({ rank, calls: this.calls });
        mpi.send.async(data, BEAT_BYTES, mpi.byte, peer, TAG, mpi.world, () => sending.delete(peer));
      }
      // A rank that was suspended itself does not blame others before it has received again.
      if (checked - before > Math.max(timeout / 2, (3 * BEAT_MS) / 1000)) return;
      const fault = watch.fault(checked, this.calls, this.waitingSince);
      if (!fault) return;
      const line = `${this.nameOf(fault.rank)} ${fault.what}`;
      onLost(line);
      endLauncherIn(LAUNCHER_SECONDS, `The launcher has not ended the job and is killed. ${line}`);
      void this.abort(1);
    };
    this.beats = setInterval(beat, BEAT_MS);
    this.beats.unref();
  }
}

type Done = (error: unknown, result: number) => void;

const promised = (begin: (done: Done) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    begin((error, result) => {
      if (error) reject(error instanceof Error ? error : new Error(String(error)));
      else if (result !== 0) reject(new Error(`MPI has failed with code ${result}`));
      else resolve();
    });
  });
