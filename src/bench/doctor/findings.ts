/** What a machine has and lacks, in lines: a pure function of what was found. */

import { option } from '../../base/options.ts';
import { sizeText } from '../../engine/memory/resident.ts';
import type { Machine } from './machine.ts';

export interface Finding {
  readonly what: string;
  /** `lacks`: something does not work. `could`: something would be better, or is needed for a part only. */
  readonly state: 'has' | 'could' | 'lacks';
  readonly text: string;
}

const OLDEST_NODE = [20, 9] as const;
/** Bytes with which the preset nano, and the preset base, train in comfort. */
const LEAST_MEMORY = 2e9;
const GOOD_MEMORY = 8e9;
const LEAST_DISK = 2e9;

/** One finding a subject, in the order in which they are printed. */
export function findingsOf(machine: Machine): Finding[] {
  return [
    nodeFinding(machine),
    cpuFinding(machine),
    memoryFinding(machine),
    ...machine.disks.map(diskFinding),
    gpuFinding(machine),
    cacheFinding(machine),
    hubFinding(machine),
    mpiFinding(machine),
  ];
}

function nodeFinding({ node, system }: Machine): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  return isOld
    ? { what: 'Node.js', state: 'lacks', text: `${node}: install ${OLDEST_NODE.join('.')} or newer` }
    : { what: 'Node.js', state: 'has', text: `${node} on ${system}` };
}

function cpuFinding({ cpu, cores, avx2 }: Machine): Finding {
  const text = `${cores} ${cores === 1 ? 'core' : 'cores'}, ${cpu}`;
  if (avx2 === false)
    return { what: 'CPU', state: 'could', text: `${text}: without AVX2 training is several times slower` };
  return { what: 'CPU', state: cores < 2 ? 'could' : 'has', text };
}

function memoryFinding({ memory: { total, free, limit } }: Machine): Finding {
  const most = limit ?? total;
  const text = `${sizeText(most)}${limit === undefined ? '' : ` (the limit of a container; the machine has ${sizeText(total)})`}, ${sizeText(Math.min(free, most))} free`;
  if (most < LEAST_MEMORY)
    return { what: 'memory', state: 'lacks', text: `${text}: train with ${option('memory')}, on preset nano` };
  if (most < GOOD_MEMORY)
    return { what: 'memory', state: 'could', text: `${text}: larger presets need ${option('memory')}` };
  return { what: 'memory', state: 'has', text };
}

function diskFinding({ what, folder, free }: Machine['disks'][number]): Finding {
  const name = `disk, ${what}`;
  if (free === undefined)
    return { what: name, state: 'could', text: `${folder}: the system does not say how much is free` };
  const text = `${sizeText(free)} free in ${folder}`;
  return { what: name, state: free < LEAST_DISK ? 'lacks' : 'has', text };
}

function gpuFinding({ gpu: { usable, reason, nvidia } }: Machine): Finding {
  const cards = nvidia.length > 0 ? ` (${nvidia.join('; ')})` : '';
  if (usable)
    return {
      what: 'GPU',
      state: 'has',
      text: `WebGPU computes${cards}: ${option('device', 'webgpu')}; clipvq bench device compares it with the CPU`,
    };
  return {
    what: 'GPU',
    state: 'could',
    text: `none that WebGPU computes on${cards}: ${reason ?? 'no reason is known'}`,
  };
}

function cacheFinding({ cache: { folder, writable, bytes, clips, lpips } }: Machine): Finding {
  if (!writable) return { what: 'cache', state: 'lacks', text: `${folder} cannot be written: set XDG_CACHE_HOME` };
  const held = [
    clips.length > 0 ? `CLIPs ${clips.join(', ')}` : 'no CLIP',
    lpips.length > 0 ? `LPIPS ${lpips.join(', ')}` : 'no weights of LPIPS',
  ];
  return { what: 'cache', state: 'has', text: `${sizeText(bytes)} in ${folder}: ${held.join('; ')}` };
}

function hubFinding({ hub: { address, state, reason, proxy }, cache }: Machine): Finding {
  const way = proxy ? ' through a proxy' : '';
  if (state === 'reachable') return { what: 'hub', state: 'has', text: `${address} answers${way}` };
  if (state === 'skipped') return { what: 'hub', state: 'could', text: `${address} was not tried (offline)` };
  const means =
    cache.clips.length > 0 ? 'only CLIPs of the cache can be used' : `name a local folder with ${option('clip')}`;
  return { what: 'hub', state: 'lacks', text: `${address} does not answer${way} (${reason}): ${means}` };
}

function mpiFinding({ mpi: { launcher, library } }: Machine): Finding {
  if (library !== undefined)
    return { what: 'MPI', state: 'has', text: launcher === undefined ? library : `${library}, started by ${launcher}` };
  return { what: 'MPI', state: 'could', text: 'no library; needed on clusters only' };
}
