/** Guidance as the denoiser computes it, with and without truncation, against the reference. */
import { it } from 'vitest';
import { codesOf, eachToken } from '../../test/support/class-rows.ts';
import { onFixture } from '../../test/support/fixtures.ts';
import { compare } from '../../test/support/parity.ts';
import { guidedRows, truncatedRow } from '../../test/support/prediction-rows.ts';

onFixture('sampling', (file) => {
  it.each(file.matching(/^(cfg\.scale.*)$/))('%s', (name) => {
    const rule = /^cfg\.scale([\d.]+?)(?:\.top([\d.]+)r)?$/.exec(name)!;
    const rows = (key: string) => eachToken(file.tensor(key)).map(codesOf);
    const got = guidedRows(rows('cfg.log_cond'), rows('cfg.log_uncond'), Number(rule[1])).map((row) =>
      rule[2] === undefined ? row : truncatedRow(row, Number(rule[2])),
    );
    const quantity = rule[2] === undefined ? 'cfg' : 'cfg, truncated';
    compare(
      'sampling',
      quantity,
      got.flatMap((row) => [...row]),
      rows(name).flatMap((row) => [...row]),
      { absolute: 1e-4 },
    );
  });
});
