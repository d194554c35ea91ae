/** Ranks in one process: collective calls that meet in memory, for tests of what ranks compute. */

import type { Ranks } from '../../src/mpi/ranks.ts';

type Give = (all: readonly Uint8Array[]) => void;

/** So many ranks. What one gives is added up in the order of ranks. */
export function localRanks(size: number): Ranks[] {
  const waiting: { bytes: Uint8Array; give: Give }[][] = [];
  return Array.from({ length: size }, (_, rank) => {
    let call = 0;
    const meet = (bytes: Uint8Array): Promise<Uint8Array[]> =>
      new Promise((resolve) => {
        waiting[call] ??= new Array(size);
        const group = waiting[call]!;
        call++;
        group[rank] = { bytes: bytes.slice(), give: (all) => resolve(all.map((one) => one.slice())) };
        if (Object.keys(group).length < size) return;
        const all = group.map((one) => one.bytes);
        for (const { give } of group) give(all);
      });
    const floats = async (data: Float32Array) =>
      (await meet(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).map(
        (bytes) => new Float32Array(bytes.buffer),
      );
    const sum = async (data: Float32Array) => {
      const all = await floats(data);
      data.set(all.reduce((sum, one) => sum.map((x, i) => x + one[i]!)));
    };
    return {
      rank,
      size,
      sum,
      sumGradients: sum,
      async max(values) {
        const all = await floats(Float32Array.from(values));
        return values.map((_, i) => Math.max(...all.map((one) => one[i]!)));
      },
      gather: meet,
      async exchange(parts) {
        const length = parts[0]!.length;
        const all = await meet(Uint8Array.from(parts.flatMap((part) => [...part])));
        return all.map((one) => one.slice(rank * length, (rank + 1) * length));
      },
      async broadcast(bytes) {
        bytes.set((await meet(bytes))[0]!);
      },
      async barrier() {
        await meet(new Uint8Array(0));
      },
      times: { waiting: 0, communicating: 0 },
    };
  });
}
