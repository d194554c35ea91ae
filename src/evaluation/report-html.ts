/** A report as one HTML file that needs nothing else: numbers with their intervals, and pictures as data. */

import type { Interval } from './interval.ts';
import { DINOV2, INCEPTION } from './networks/network.ts';
import type { Distances, Report, SetReport } from './report.ts';

/** A PNG with what it shows. */
export interface ReportPicture {
  readonly title: string;
  readonly text: string;
  readonly png: Uint8Array;
}

type Row = readonly [name: string, value: string, samples: string, explanation: string];

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #17181c; margin: 2.5rem auto; max-width: 60rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .8rem .35rem 0; vertical-align: top; }
th { font-weight: 500; color: #6b7280; border-bottom: 1px solid #e5e7eb; } td { border-bottom: 1px solid #f1f2f4; }
td:nth-child(2), td:nth-child(3) { white-space: nowrap; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } .quiet { color: #6b7280; }`;

/** Everything from outside goes through here: prompts and paths cannot become markup. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

export function reportHtml(report: Report, pictures: readonly ReportPicture[]): string {
  const parts = [
    `<h1>${escaped(report.model)}</h1>`,
    '<p class="quiet">Intervals are of 95 %: of means by resampling the pictures, of distances between sets 1.96 standard errors by the generated pictures. docs/evaluation.md says how each number is computed.</p>',
    ...section('Reconstruction', reconstructionRows(report)),
    ...section('Prompts', promptRows(report)),
    ...section('Against real pictures', setRows(report)),
    ...report.sets.flatMap(({ caution }) => (caution === undefined ? [] : [`<p>${escaped(caution)}.</p>`])),
    ...section('Copies', copyRows(report)),
    ...pictures.map(
      ({ title, text, png }) =>
        `<h2>${escaped(title)}</h2><p class="quiet">${escaped(text)}</p><img alt="${escaped(title)}" src="data:image/png;base64,${Buffer.from(png).toString('base64')}">`,
    ),
  ];
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(report.model)}</title><style>${STYLE}</style></head>\n<body>\n${parts.join('\n')}\n</body>\n</html>\n`;
}

/** The numbers of a report in lines of text, for a terminal. */
export function reportLines(report: Report): string[] {
  const rows = [...reconstructionRows(report), ...promptRows(report), ...setRows(report), ...copyRows(report)];
  const width = (column: 0 | 1 | 2) => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([name, value, samples]) =>
    `${name.padEnd(width(0))}  ${value.padEnd(width(1))}  ${samples}`.trimEnd(),
  );
}

function section(title: string, rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`);
  return [
    `<h2>${title}</h2>`,
    `<table><tr><th>measure</th><th>value</th><th>pictures</th><th>what it is</th></tr>${body.join('')}</table>`,
  ];
}

const within = ({ value, low, high }: Interval, digits: number): string =>
  `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;

function reconstructionRows({ reconstruction: { pictures, perplexity, usage, ...of } }: Report): Row[] {
  const n = `${pictures}`;
  return [
    ['PSNR, dB', within(of.psnr, 2), n, 'higher is nearer to the picture'],
    ['SSIM', within(of.ssim, 4), n, '1 for equal pictures'],
    ...(of.lpips
      ? [[`LPIPS (${of.lpips.net})`, within(of.lpips.distance, 4), n, '0 for equal pictures'] satisfies Row]
      : []),
    ['codebook perplexity', perplexity.toFixed(0), n, 'codes, as if all were used alike'],
    ['codes used', `${(100 * usage).toFixed(0)} %`, n, 'share of the codebook that occurs'],
  ];
}

function promptRows({ prompts }: Report): Row[] {
  if (!prompts) return [];
  const { chosen, unchosen, independent, bestOf, shuffled, p } = prompts;
  const n = `${chosen.samples}`;
  const choice = bestOf > 1 ? `best of ${bestOf}, by the CLIP that conditions` : 'by the CLIP that conditions';
  return [
    ['CLIP score', within(chosen, 4), n, `cosine with the own prompt, ${choice}`],
    ...(bestOf > 1
      ? [['CLIP score, no choice', within(unchosen, 4), n, `mean of the ${bestOf} candidates`] satisfies Row]
      : []),
    ...(independent
      ? [['CLIP score, independent', within(independent.score, 4), n, `by ${independent.clip}`] satisfies Row]
      : []),
    ...(independent && bestOf > 1
      ? [
          [
            'CLIP score, independent, no choice',
            within(independent.unchosen, 4),
            n,
            `by ${independent.clip}, of the first of the ${bestOf} candidates`,
          ] satisfies Row,
        ]
      : []),
    ['CLIP score, other prompts', shuffled.toFixed(4), n, `permutation test p = ${p.toFixed(4)}`],
  ];
}

/** What the Fréchet distance is called in the features of these networks. */
const FRECHET: Readonly<Record<string, string>> = {
  [INCEPTION]: 'FID',
  [DINOV2]: 'FD-DINOv2',
};

const setRows = ({ sets }: Report): Row[] => sets.flatMap(rowsOfSet);

function rowsOfSet(set: SetReport): Row[] {
  const n = `${set.made} and ${set.real}`;
  const by = `features of ${set.features}`;
  const { floor, neighbourhoods, inceptionScore: score } = set;
  const row = (name: string, of: keyof Distances, digits: number, text: string): Row[] => [
    [name, within(set[of], digits), n, `${text}${by}`],
    ...(floor
      ? [
          [
            `${name}, real`,
            within(floor[of], digits),
            `${floor.pictures} and ${set.real}`,
            'the same between two sets of real pictures: what a perfect generator would come to',
          ] satisfies Row,
        ]
      : []),
  ];
  return [
    ...row(FRECHET[set.features] ?? 'Fréchet distance', 'frechet', 4, ''),
    ...row('kernel distance (KID)', 'kernel', 5, 'unbiased; '),
    ...row('MIND', 'mind', 4, ''),
    ...(score
      ? [
          [
            'Inception score',
            `${within(score, 2)}, ± ${score.deviation.toFixed(2)} over ${score.parts} parts`,
            `${score.samples}`,
            'how sure a classifier of ImageNet is, and how various they are',
          ] satisfies Row,
        ]
      : []),
    ...(neighbourhoods
      ? (['precision', 'recall', 'density', 'coverage'] as const).map(
          (name): Row => [name, within(neighbourhoods[name], 3), n, `neighbourhoods of ${neighbourhoods.k}; ${by}`],
        )
      : []),
  ];
}

function copyRows({ copies }: Report): Row[] {
  if (!copies) return [];
  const { made, heldOut, training } = copies.samples;
  const n = `${made}, ${heldOut}, ${training}`;
  const isCopying = Math.min(copies.p, copies.worst.p) < 0.01;
  const verdict = isCopying
    ? 'nearer to training pictures than unseen ones are: it copies'
    : 'no nearer to training pictures than unseen ones';
  return [
    [
      'C_T',
      `${copies.z.toFixed(2)} (p = ${copies.p.toPrecision(2)})`,
      n,
      `${verdict}; mean over ${copies.cells.length} cells; generated, held out, of training`,
    ],
    [
      'C_T, worst cell',
      `${copies.worst.z.toFixed(2)} (p = ${copies.worst.p.toPrecision(2)})`,
      n,
      'the lowest of the cells; p allows for the choice',
    ],
  ];
}
