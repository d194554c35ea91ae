/** Top-r truncation against the reference. */
import { it } from 'vitest';
import { codesOf, eachToken } from '../../../test/support/class-rows.ts';
import { onFixture } from '../../../test/support/fixtures.ts';
import { compare, EXACT } from '../../../test/support/parity.ts';
import { truncatedRow } from '../../../test/support/prediction-rows.ts';

onFixture('sampling', (file) => {
  it.each(file.matching(/^(trunc\.top.*r)$/))('%s keeps the same codes', (name) => {
    const rate = Number(/top([\d.]+)r$/.exec(name)![1]);
    const kept = eachToken(file.tensor('trunc.log_probs')).map((row) => truncatedRow(codesOf(row), rate));
    const expected = eachToken(file.tensor(name)).map(codesOf);
    compare(
      'sampling',
      'trunc top-r',
      kept.flatMap((row) => [...row]),
      expected.flatMap((row) => [...row]),
      EXACT,
    );
  });
});
