/** Calls over two ends of a message channel, as over a thread. */

import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Caller, type Channel, HandedOver, serve } from './calls.ts';
import { UserError } from './errors.ts';

interface Calls {
  half(request: { readonly of: number }): number;
  take(request: { readonly data: Float32Array }): Float32Array;
}

const open: MessageChannel[] = [];
afterEach(() => {
  for (const { port1 } of open.splice(0)) port1.close();
});

/** A caller, and when its channel was busy. `gate` holds back all answers of `half`. */
function pair(gate: Promise<void> = Promise.resolve()) {
  const channel = new MessageChannel();
  open.push(channel);
  const { port1, port2 } = channel;
  const busy: boolean[] = [];
  const over = (port: typeof port1): Channel => ({
    send: (message, transfer = []) => port.postMessage(message, [...transfer]),
    listen: (receive) => port.on('message', receive),
    busy: (isBusy) => busy.push(isBusy),
  });
  const order: number[] = [];
  serve<Calls>(over(port2), {
    async half({ of }) {
      await gate;
      order.push(of);
      if (of < 0) throw new UserError('Give a number that is not negative');
      if (of % 2 === 1) throw new TypeError(`${of} is odd`);
      return of / 2;
    },
    take: ({ data }) => new HandedOver(data, [data.buffer as ArrayBuffer]),
  });
  return { caller: new Caller<Calls>(over(port1)), busy, order };
}

describe('calls', () => {
  it('are answered each by its own reply, in order', async () => {
    const { caller, order } = pair();
    expect(await Promise.all([8, 2, 4].map((of) => caller.call('half', { of })))).toEqual([4, 1, 2]);
    expect(order).toEqual([8, 2, 4]);
  });

  it('throw what the handler throws, and know mistakes of the user from other errors', async () => {
    const { caller } = pair();
    await expect(caller.call('half', { of: -1 })).rejects.toThrow(UserError);
    const other: unknown = await caller.call('half', { of: 3 }).catch((error: unknown) => error);
    expect(other).not.toBeInstanceOf(UserError);
    expect(other).toMatchObject({ message: '3 is odd' });
    expect(await caller.call('half', { of: 6 })).toBe(3);
  });

  it('hand memory over in both directions', async () => {
    const { caller } = pair();
    const data = Float32Array.of(1, 2);
    const back = await caller.call('take', { data }, [data.buffer]);
    expect(data).toHaveLength(0);
    expect(back).toEqual(Float32Array.of(1, 2));
  });

  it('make the channel busy from the first that is under way to the last that is answered', async () => {
    const { caller, busy } = pair();
    await Promise.all([caller.call('half', { of: 2 }), caller.call('half', { of: 4 })]);
    expect(busy).toEqual([true, false]);
  });
});

describe('stopping', () => {
  it.each(['answer', 'reject'] as const)('settles once everything is answered (what is under way: %s)', async (way) => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { caller, order } = pair(gate);
    const first = caller.call('half', { of: 2 }).catch((error: unknown) => error);
    const stopped = caller.stop(new Error('closed'), way);
    await expect(caller.call('half', { of: 4 })).rejects.toThrow(/closed/);
    if (way === 'reject') expect(await first).toMatchObject({ message: 'closed' });
    expect(order).toEqual([]);
    release();
    await stopped;
    expect(order).toEqual([2]);
    if (way === 'answer') expect(await first).toBe(1);
  });

  it('rejects everything where the other side is gone', async () => {
    const { caller } = pair(new Promise(() => {}));
    const call = expect(caller.call('half', { of: 2 })).rejects.toThrow(/gone/);
    const stopped = caller.stop(new Error('closed'), 'answer');
    caller.lose(new Error('gone'));
    await stopped;
    await expect(caller.call('half', { of: 2 })).rejects.toThrow(/closed/);
    await call;
  });
});
