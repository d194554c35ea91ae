/** Top-r and top-k against the reference. */
import { it } from 'vitest';
import { codesOf, eachToken } from '../../../test/support/class-rows.ts';
import { onFixture } from '../../../test/support/fixtures.ts';
import { compare, EXACT } from '../../../test/support/parity.ts';
import { truncateTopK, truncateTopR } from './truncation.ts';

onFixture('sampling', (file) => {
  it.each(file.matching(/^(trunc\.top.*)$/))('%s keeps the same codes', (name) => {
    const rule = /top([\d.]+)([rp])$/.exec(name)!;
    const amount = Number(rule[1]);
    const kept = eachToken(file.tensor('trunc.log_probs')).map((row) =>
      rule[2] === 'r' ? truncateTopR(codesOf(row), amount) : truncateTopK(codesOf(row), amount),
    );
    const expected = eachToken(file.tensor(name)).map(codesOf);
    compare(
      'sampling',
      `trunc top-${rule[2]}`,
      kept.flatMap((row) => [...row]),
      expected.flatMap((row) => [...row]),
      EXACT,
    );
  });
});
