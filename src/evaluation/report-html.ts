/** A report as one HTML file that needs nothing else: numbers with their intervals, and pictures as data. */

import { asMarkup } from '../base/text.ts';
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
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
img { max-width: 100%; } .quiet { color: #6b7280; } .caution { border-left: 3px solid #d97706; padding-left: .8rem; }
@media (max-width: 44rem) {
  body { margin: 1.2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
  table, tbody, tr, td { display: block; } th { display: none; }
  tr { border-bottom: 1px solid #e5e7eb; padding: .5rem 0; } td { border: 0; padding: 0; }
  td:first-child { font-weight: 600; } td:nth-child(2) { white-space: normal; } td:nth-child(n+3) { color: #6b7280; font-size: .9rem; }
  td:nth-child(3)::before { content: "pictures: "; }
}`;

/** The page of a report: its numbers in tables, what they warn of, and its pictures. Texts are escaped. */
export function reportHtml(report: Report, pictures: readonly ReportPicture[]): string {
  const parts = [
    `<h1>${asMarkup(report.model)}</h1>`,
    '<p class="quiet">Intervals are of 95 %: of means by resampling the pictures, of distances between sets 1.96 standard errors by the generated pictures. docs/evaluation.md says how each number is computed.</p>',
    ...summary(report).map((text) => `<p>${asMarkup(text)}</p>`),
    ...section('Reconstruction', reconstructionRows(report)),
    ...section('Prompts', promptRows(report)),
    ...cautions(promptCautions(report)),
    ...(report.sets.length > 0 ? ['<h2>Against real pictures</h2>'] : []),
    ...report.sets.flatMap((set) => [
      `<h3>In the features of ${asMarkup(set.features)}</h3>`,
      table(rowsOfSet(set)),
      ...cautions(set.caution === undefined ? [] : [`${set.caution}.`]),
    ]),
    ...section('Copies', copyRows(report)),
    ...pictures.map(
      ({ title, text, png }) =>
        `<h2>${asMarkup(title)}</h2><p class="quiet">${asMarkup(text)}</p><img alt="${asMarkup(title)}" src="data:image/png;base64,${Buffer.from(png).toString('base64')}">`,
    ),
  ];
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${asMarkup(report.model)}</title><style>${STYLE}</style></head>\n<body>\n${parts.join('\n')}\n</body>\n</html>\n`;
}

/** The numbers of a report in lines of text, for a terminal. */
export function reportLines(report: Report): string[] {
  const sets = report.sets.flatMap((set) =>
    rowsOfSet(set).map(([name, ...rest]): Row => [`${name} [${set.features}]`, ...rest]),
  );
  const rows = [...reconstructionRows(report), ...promptRows(report), ...sets, ...copyRows(report)];
  const width = (column: 0 | 1 | 2) => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([name, value, samples]) =>
    `${name.padEnd(width(0))}  ${value.padEnd(width(1))}  ${samples}`.trimEnd(),
  );
}

/** Who made the pictures, and by which CLIP they are scored and compared. */
function summary({ clip, prompts, reconstruction, sets }: Report): string[] {
  const made = prompts && `${prompts.chosen.samples} pictures for ${prompts.prompts} prompts`;
  const choice = prompts && prompts.bestOf > 1 ? `, each the best of ${prompts.bestOf} by that CLIP` : '';
  const by = prompts?.independent ? `; ${prompts.independent.clip} scores them, too, and has had no part in them` : '';
  return [
    `${reconstruction.pictures} real pictures through the tokenizer and back${made ? `; ${made}` : ''}${choice}.`,
    `The CLIP that conditions: ${clip}${by}.${sets.length > 0 ? ' Where a line is called “real”, it is of two sets of real pictures: no generator can be expected to come below it.' : ''}`,
  ];
}

/** What should be known before a score is compared with others. */
const promptCautions = ({ prompts }: Report): string[] =>
  prompts && !prompts.independent
    ? [
        `No other CLIP has scored them: the one that conditions${prompts.bestOf > 1 ? ' and chooses' : ''} flatters itself. An independent score takes another CLIP (docs/evaluation.md).`,
      ]
    : [];

const cautions = (texts: readonly string[]): string[] =>
  texts.map((text) => `<p class="caution">${asMarkup(text)}</p>`);

const section = (title: string, rows: readonly Row[]): string[] =>
  rows.length === 0 ? [] : [`<h2>${title}</h2>`, table(rows)];

function table(rows: readonly Row[]): string {
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${asMarkup(cell)}</td>`).join('')}</tr>`);
  return `<table><tr><th>measure</th><th>value (95 % interval)</th><th>pictures</th><th>what it is</th></tr>${body.join('')}</table>`;
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
    ['CLIP score', within(chosen, 4), n, `cosine of a picture with its prompt, ${choice}`],
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
    [
      'CLIP score, other prompts',
      shuffled.toFixed(4),
      n,
      `the same pictures under the prompts of others; p = ${p.toFixed(4)} that prompts make no difference`,
    ],
  ];
}

/** What the Fréchet distance is called in the features of these networks. */
const FRECHET: Readonly<Record<string, string>> = {
  [INCEPTION]: 'FID',
  [DINOV2]: 'FD-DINOv2',
};

const MEANINGS = [
  ['precision', 'quality: share of generated pictures in the neighbourhood of a real one'],
  ['recall', 'variety: share of real pictures in the neighbourhood of a generated one'],
  ['density', 'quality: real neighbourhoods around a generated picture, 1 for sets of one distribution'],
  ['coverage', 'variety: share of real neighbourhoods with a generated picture in them'],
] as const;

function rowsOfSet(set: SetReport): Row[] {
  const n = `${set.made} and ${set.real}`;
  const { floor, neighbourhoods, inceptionScore: score } = set;
  const row = (name: string, of: keyof Distances, digits: number, text: string): Row[] => [
    [name, within(set[of], digits), n, text],
    ...(floor
      ? [
          [
            `${name}, real`,
            within(floor[of], digits),
            `${floor.pictures} and ${set.real}`,
            'the same between two sets of real pictures: what a perfect generator would have',
          ] satisfies Row,
        ]
      : []),
  ];
  return [
    ...row(
      FRECHET[set.features] ?? 'Fréchet distance',
      'frechet',
      4,
      'between means and covariances; 0 for equal sets, too high for few pictures',
    ),
    ...row(
      'kernel distance (KID)',
      'kernel',
      5,
      'by a kernel of degree 3, unbiased: about 0 for sets of one distribution',
    ),
    ...row('MIND', 'mind', 4, 'sliced optimal transport; 0 for equal sets, and less too high for few pictures'),
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
      ? MEANINGS.map(
          ([name, text]): Row => [
            name,
            within(neighbourhoods[name], 3),
            n,
            `${text} (of ${neighbourhoods.k} pictures)`,
          ],
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
