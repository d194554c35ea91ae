/** Reports of evaluations. */

import type { Time } from './basics.ts';

export interface ReportFacts {
  readonly id: string;
  readonly model: string;
  readonly data: string;
  readonly time: Time;
  /** Every number of the report, by a path such as `reconstruction.psnr.mean`. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly hasPage: boolean;
}

export interface ReportList {
  readonly reports: readonly ReportFacts[];
}
