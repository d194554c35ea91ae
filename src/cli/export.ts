/** `clipvq export`: a trained model to give away, as a folder, as web pages, or as ONNX files. */

import { Command } from 'commander';
import { UserError } from '../base/errors.ts';
import { SHIPPED } from '../embedding/sources/shipped.ts';
import { sizeText } from '../engine/memory/resident.ts';
import { exportOnnx } from '../publish/onnx.ts';
import { type ExportedPage, exportHtml, exportSite } from '../publish/web.ts';
import { RunDirectory } from '../run/directory.ts';
import { exportModel } from '../run/export.ts';
import { descriptions } from './command-names.ts';
import { printResult } from './output.ts';

interface ExportOptions {
  readonly out?: string;
  readonly web?: string;
  readonly html?: string;
  readonly onnx?: string;
  readonly float32?: boolean;
  readonly float16?: boolean;
  readonly clip?: string;
  readonly title?: string;
  readonly license?: string;
  readonly json?: boolean;
}

/** What an export can become, by its flag. */
const KINDS = ['out', 'web', 'html', 'onnx'] as const;

export function exportCommand(): Command {
  return new Command('export')
    .description(descriptions.export)
    .argument('<run>', 'a run directory')
    .option('--out <dir>', 'a new folder with weights, recipe and CLIP, without pictures, caches and private paths')
    .option('--web <dir>', 'a new folder with a static site that draws in the browser (docs/web.md)')
    .option('--html <file>', 'the same as one HTML file, which works from a disk, too')
    .option('--onnx <dir>', 'a new folder with the networks as ONNX files (docs/onnx.md)')
    .option('--float32', 'pages: keep weights at full precision: twice as large, and the pictures of generate')
    .option('--float16', '--out: keep weights at half precision: half as large, and pictures differ a little')
    .option('--clip <folder>', "where the run's CLIP lies, if it was moved")
    .option('--title <text>', 'what the page or the model card calls the model (default: the name of the folder)')
    .option('--license <id>', '--out: the SPDX identifier of its licence, for the model card (default: unknown)')
    .option('--json', 'print one JSON document on stdout')
    .option('--debug', 'show stack traces')
    .action(async (folder: string, options: ExportOptions) => {
      const kind = kindOf(options);
      const run = RunDirectory.open(folder);
      const { json = false, float32 = false, clip, title } = options;
      const page = { clip, title, precision: float32 ? 'float32' : 'float16' } as const;
      if (kind === 'out') await out(run, options.out!, options);
      else if (kind === 'web') {
        const made = await exportSite(run, options.web!, page);
        printResult(json, made, () => [...pageLines(made, float32), `Try it: npx http-server ${made.path}`]);
      } else if (kind === 'onnx') {
        const made = await exportOnnx(run, options.onnx!, { clip });
        printResult(json, made, () => [
          `${made.folder}: ${megabytes(made.bytes)}`,
          ...made.files.map((file) => `  ${file}`),
          'How to use them: docs/onnx.md',
        ]);
      } else {
        const made = await exportHtml(run, options.html!, page);
        printResult(json, made, () => [...pageLines(made, float32), `Try it: open ${made.path} in a browser`]);
      }
    });
}

async function out(run: RunDirectory, folder: string, { json = false, clip, title, license, float16 }: ExportOptions) {
  const made = await exportModel(run, folder, { clip, title, license, float16 });
  printResult(json, made, () => [
    `${made.folder}: ${sizeText(made.bytes)}`,
    ...(float16 ? ['Weights have 16 bits: pictures may differ from those of the run'] : []),
    ...(made.hubClip === undefined ? [] : [clipLine(made.hubClip)]),
    `Try it: clipvq generate --model ${made.folder} "a prompt"`,
  ]);
}

/** @throws UserError where none or several are named, or an option belongs to another one. */
function kindOf(options: ExportOptions): (typeof KINDS)[number] {
  const named = KINDS.filter((kind) => options[kind] !== undefined);
  const [kind] = named;
  if (kind === undefined || named.length > 1)
    throw new UserError(`Give one of ${KINDS.map((one) => `--${one}`).join(', ')}: what the export should become`);
  const isPage = kind === 'web' || kind === 'html';
  if (options.float32 && !isPage)
    throw new UserError(`--float32 belongs to --web and --html: --${kind} keeps full precision anyway`);
  if (options.float16 && kind !== 'out')
    throw new UserError(
      isPage
        ? `--float16 belongs to --out: --${kind} keeps half precision unless --float32 is given`
        : `--float16 belongs to --out: --${kind} keeps full precision`,
    );
  if (options.license !== undefined && kind !== 'out')
    throw new UserError('--license belongs to --out: it stands in the model card');
  return kind;
}

const clipLine = (name: string): string =>
  name === SHIPPED
    ? 'Its CLIP is the one that comes with this program'
    : `Its CLIP is ${name}, which is fetched where it is not there`;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function pageLines({ path, bytes, fetched: { model, runtime, page, total } }: ExportedPage, float32: boolean) {
  return [
    `${path}: ${megabytes(bytes)}`,
    `A visitor fetches ${megabytes(total)}: model ${megabytes(model)}, ONNX Runtime ${megabytes(runtime)}, page ${megabytes(page)} (packed by gzip)`,
    float32
      ? 'Weights have 32 bits: pictures are those of clipvq generate, up to rounding'
      : 'Weights have 16 bits: pictures may differ from those of clipvq generate; --float32 keeps all 32, at twice the size',
  ];
}
