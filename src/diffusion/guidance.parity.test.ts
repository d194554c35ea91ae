/** Guidance, with and without truncation, against the reference. */
import { it } from 'vitest';
import { codesOf, eachToken } from '../../test/support/class-rows.ts';
import { onFixture } from '../../test/support/fixtures.ts';
import { compare } from '../../test/support/parity.ts';
import { guide } from './guidance.ts';
import { truncateTopR } from './process/truncation.ts';

onFixture('sampling', (file) => {
  it.each(file.matching(/^(cfg\.scale.*)$/))('%s', (name) => {
    const rule = /^cfg\.scale([\d.]+?)(?:\.top([\d.]+)r)?$/.exec(name)!;
    const unconditional = eachToken(file.tensor('cfg.log_uncond')).map(codesOf);
    const got = eachToken(file.tensor('cfg.log_cond')).map((row, i) => {
      const guided = guide(codesOf(row), unconditional[i]!, row.length - 1, Number(rule[1]));
      return rule[2] === undefined ? guided : truncateTopR(guided, Number(rule[2]));
    });
    const expected = eachToken(file.tensor(name)).map(codesOf);
    const quantity = rule[2] === undefined ? 'cfg' : 'cfg, truncated';
    compare(
      'sampling',
      quantity,
      got.flatMap((row) => [...row]),
      expected.flatMap((row) => [...row]),
      { absolute: 1e-4 },
    );
  });
});
