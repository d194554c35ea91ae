/** The command line as a user meets it: a tiny model from nothing, and pictures from it. */

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPngText } from '../../src/data/pictures/read-png-text.ts';
import { transformerConfig } from '../../src/diffusion/model.ts';
import { diffusionParameters } from '../../src/diffusion/transformer.ts';
import { Generator } from '../../src/generation/generator.ts';
import { countParameters } from '../../src/nn/parameters.ts';
import { makeRecipe } from '../../src/recipe/recipe.ts';
import { runClipvq } from '../support/cli.ts';
import { shareEngines } from '../support/keeping-engine.ts';
import { readLog } from '../support/run-log.ts';
import { tinyFlags } from '../support/tiny-flags.ts';

const cli = path.resolve('bin/clipvq.cjs');
shareEngines();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clipvq-cli-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

/** Without attention and a second resolution: fewer nodes to compile. `test/webgpu/webgpu.test.ts` trains with both. */
const LEAN = {
  ...{ 'tokenizer.channelMultipliers': '[1]', 'tokenizer.middleAttention': 'false', 'tokenizer.codes': 32 },
  ...{ 'diffusion.timesteps': 25, 'sampling.truncation': 0.85 },
};
/** Through every phase of the tokenizer, and long enough to be killed. */
const TINY = tinyFlags({ ...LEAN, 'clip.steps': 3, 'tokenizer.steps': 8, 'diffusion.steps': 6 });
/** For tests that look at other things: codes from the first step on, which is one program to compile. */
const QUICK = tinyFlags({ ...LEAN, 'tokenizer.autoencoderFraction': 0, 'tokenizer.perceptualWeight': 0 });

const clipvq = (...args: string[]) => runClipvq(folder, ...args);

interface Generated {
  images: { path: string; prompt: string; seed: number; clipScore: number; passes: object }[];
  seconds: number;
}

async function generate(...args: string[]): Promise<Generated> {
  const { status, stdout, stderr } = await clipvq('generate', '--model', 'run', '--json', ...args);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Generated;
}

beforeAll(async () => {
  const { status, stdout, stderr } = await clipvq('train', '--data', 'faces', '--run', 'run', '--json', ...TINY);
  expect(status, stderr).toBe(0);
  const { seconds } = JSON.parse(stdout) as { seconds: Record<string, number> };
  expect(Object.keys(seconds)).toEqual(['clip', 'tokenizer', 'diffusion']);
});

describe('generate', () => {
  it('gives the same bytes for the same seed, and writes down how', async () => {
    const first = await generate('a man with glasses', 'a red hat', '-n', '2', '--seed', '5', '--out', 'first');
    const again = await generate('a man with glasses', 'a red hat', '-n', '2', '--seed', '5', '--out', 'again');
    expect(first.images.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      ['a man with glasses', 5],
      ['a man with glasses', 6],
      ['a red hat', 5],
      ['a red hat', 6],
    ]);
    const bytes = ({ images }: Generated) => images.map((image) => fs.readFileSync(at(image.path)).toString('base64'));
    expect(bytes(again)).toEqual(bytes(first));
    expect(new Set(bytes(first)).size).toBe(4);
    const text = readPngText(fs.readFileSync(at(first.images[1]!.path)));
    expect(text).toMatchObject({ Prompt: 'a man with glasses', Seed: '6' });
    expect(JSON.parse(text.Settings!)).toMatchObject({
      sampler: 'strided',
      steps: 4,
      guidanceScale: expect.any(Number),
      truncation: expect.any(Number),
    });
    expect(text.Model).toMatch(/^[0-9a-f]{16}$/);
    for (const { clipScore } of first.images) expect(Math.abs(clipScore)).toBeLessThanOrEqual(1);
  });

  it('takes prompts from a file, one a line, and names a single file as --out has it', async () => {
    fs.writeFileSync(at('prompts.txt'), 'a beard\n\n  a green shirt  \n');
    const { images } = await generate(
      '--prompts',
      'prompts.txt',
      '-n',
      '1',
      '--steps',
      '2',
      '--guidance',
      '1',
      '--out',
      'some',
    );
    expect(images.map(({ prompt }) => prompt)).toEqual(['a beard', 'a green shirt']);
    const single = await generate('a beard', '-n', '1', '--out', 'one.png');
    expect(single.images.map((image) => image.path)).toEqual(['one.png']);
  });

  it('takes every sampling setting, and counts the passes of the network', async () => {
    const passes = async (...args: string[]) =>
      (await generate('a beard', '-n', '1', '--out', 'one.png', ...args)).images.map((image) => image.passes);
    expect(await passes('--steps', '3')).toEqual([{ conditional: 3, unconditional: 3 }]);
    expect(await passes('--steps', '3', '--guidance', '1')).toEqual([{ conditional: 3, unconditional: 0 }]);
    // Steps begin at about 0, 25, 50 and 75 hundredths of the chain.
    const interval = ['--guidance', '2', '--guidance-from', '0.2', '--guidance-until', '0.6'];
    expect(await passes('--sampler', 'ancestral', '--steps', '4', ...interval)).toEqual([
      { conditional: 4, unconditional: 2 },
    ]);
    const all = ['--sampler', 'remask', '--steps', '4', '--placement', 'cosine', '--remasking', '0.2'];
    expect(await passes(...all, '--guidance', '3', '--guidance-schedule', 'falling', '--truncation', '0.8')).toEqual([
      { conditional: 4, unconditional: 4 },
    ]);
    const text = JSON.parse(readPngText(fs.readFileSync(at('one.png'))).Settings!);
    expect(text).toMatchObject({ placement: 'cosine', remasking: 0.2, guidanceScale: 3, guidanceSchedule: 'falling' });
  });
});

describe('bench samplers', () => {
  it('compares with the reference picture by picture, and makes no picture twice', async () => {
    fs.writeFileSync(at('asked.txt'), 'a beard\na green shirt\n');
    // As of a model of these pictures: a dozen are read sooner than a thousand are drawn.
    expect((await clipvq('data', 'faces', '--out', 'compared', '--count', '12')).status).toBe(0);
    fs.cpSync(at('run'), at('benched'), { recursive: true });
    const settings = JSON.parse(fs.readFileSync(at('benched', 'run.json'), 'utf8')) as object;
    fs.writeFileSync(at('benched', 'run.json'), JSON.stringify({ ...settings, data: at('compared') }));
    const bench = async (first: string) => {
      const sizes = ['--pictures', '16', '--steps', '2', '--only', 'halton,strided', '--prompts', 'asked.txt'];
      const { status, stdout, stderr } = await clipvq(
        'bench',
        'samplers',
        '--model',
        'benched',
        '--json',
        '--first',
        first,
        ...sizes,
      );
      expect(status, stderr).toBe(0);
      return JSON.parse(stdout) as { points: Record<string, object>[]; plot: string };
    };
    const { points, plot } = await bench('0');
    expect(points.map(({ name, passes }) => [name, passes])).toEqual([
      ['ancestral', { conditional: 25, unconditional: 25 }],
      ['halton', { conditional: 2, unconditional: 2 }],
      ['strided', { conditional: 2, unconditional: 2 }],
    ]);
    expect(points[0]).toMatchObject({ frechetRatio: { value: 1, error: 0 } });
    const kept = () => fs.readdirSync(at('benched', 'samplers')).filter((name) => name.endsWith('.safetensors'));
    const before = kept();
    expect((await bench('0')).points).toEqual(points);
    expect(kept()).toEqual(before);
    expect((await bench('16')).points[1]!.frechet).not.toEqual(points[1]!.frechet);
    expect(fs.readFileSync(at(plot)).subarray(1, 4).toString()).toBe('PNG');
  });
});

describe('train', () => {
  const losses = (run: string) => readLog(at(run));

  it('survives being killed, and resumes to the same losses', async () => {
    // The run that was never killed, as it was when its CLIP was trained.
    fs.cpSync(at('run'), at('killed'), { recursive: true });
    for (const name of ['checkpoints', 'tokenizer', 'diffusion']) fs.rmSync(at('killed', name), { recursive: true });
    for (const name of ['log.jsonl', 'metrics.jsonl']) {
      const lines = fs.readFileSync(at('killed', name), 'utf8').split('\n');
      fs.writeFileSync(at('killed', name), lines.filter((line) => !/tokenizer|diffusion/.test(line)).join('\n'));
    }
    const child = spawn(process.execPath, [cli, 'train', '--run', 'killed', '--resume', '--checkpoint-every', '2'], {
      cwd: folder,
    });
    await new Promise<void>((resolve) => {
      child.stderr.on('data', () => {
        const log = at('killed', 'log.jsonl');
        if (fs.existsSync(log) && fs.readFileSync(log, 'utf8').includes('"tokenizer","step":5')) child.kill('SIGKILL');
      });
      child.on('exit', () => resolve());
    });
    const { status, stderr } = await clipvq('train', '--run', 'killed', '--resume');
    expect(status, stderr).toBe(0);
    const last = (run: string) => new Map(losses(run).map(({ stage, step, loss }) => [`${stage} ${step}`, loss]));
    expect([...last('killed')].sort()).toEqual([...last('run')].sort());
  });

  it('shortens the schedules of a new run to --max-steps, and goes on with --longer', async () => {
    const start = ['train', '--data', 'faces', '--clip', 'run/clip', '--run', 'short'];
    const args = [...start, '--stage', 'tokenizer', '--max-steps', '2', ...QUICK];
    expect((await clipvq(...args)).status).toBe(0);
    expect(losses('short').map(({ step }) => step)).toEqual([1, 2]);
    expect(JSON.parse(fs.readFileSync(at('short', 'run.json'), 'utf8'))).toMatchObject({
      recipe: { tokenizer: { steps: 2 } },
    });
    const longer = await clipvq('train', '--run', 'short', '--resume', '--stage', 'tokenizer', '--longer', '2x');
    expect(longer.status, longer.stderr).toBe(0);
    expect(losses('short').map(({ step }) => step)).toEqual([1, 2, 3, 4]);
  });

  it('learns from a folder of pictures with the CLIP it is pointed at, leaving out and naming what it cannot read', async () => {
    expect((await clipvq('data', 'faces', '--out', 'faces', '--count', '12')).status).toBe(0);
    fs.writeFileSync(at('faces', 'broken.jpg'), 'not a picture');
    const { status, stderr } = await clipvq(
      'train',
      '--data',
      'faces/',
      '--clip',
      'run/clip',
      '--run',
      'folder',
      ...QUICK,
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/1 of 13 files are left out/);
    expect(JSON.parse(fs.readFileSync(at('folder', 'rejected.jsonl'), 'utf8'))).toMatchObject({ path: 'broken.jpg' });
  });
});

describe('captioned pictures', () => {
  it('make a CLIP, with its worth measured, that drives a generator of other pictures', async () => {
    expect((await clipvq('data', 'faces', '--out', 'captioned', '--count', '60')).status).toBe(0);
    const lines = Array.from({ length: 60 }, (_, i) => ({
      image: `captioned/face-${String(i).padStart(6, '0')}.png`,
      text: ['a red hat', 'a blue hat'][i % 2],
    }));
    fs.writeFileSync(at('pairs.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const train = ['train', '--stage', 'clip', '--data', 'pairs.jsonl', '--run', 'own-clip', ...QUICK];
    const { status, stdout, stderr } = await clipvq(...train, '--json');
    expect(status, stderr).toBe(0);
    const { clip } = JSON.parse(stdout) as { clip: unknown };
    expect(clip).toMatchObject({
      heldOut: 6,
      retrieval: { imageToText: { at1: expect.any(Number) }, textToImage: { at10: 1 } },
      zeroShot: { classes: 2, accuracy: expect.any(Number) },
    });
    // Pictures of a tar archive, and a CLIP from the run before.
    expect(spawnSync('tar', ['-cf', at('pictures.tar'), '-C', at('captioned'), '.']).status).toBe(0);
    const more = await clipvq(
      'train',
      '--data',
      'pictures.tar',
      '--clip',
      'own-clip/clip',
      '--run',
      'from-tar',
      ...QUICK,
    );
    expect(more.status, more.stderr).toBe(0);
    const made = await clipvq('generate', '--model', 'from-tar', 'a red hat', '-n', '1', '--out', 'hat.png');
    expect(made.status, made.stderr).toBe(0);
  });

  it('are for a CLIP alone', async () => {
    fs.writeFileSync(at('few.jsonl'), '{"image": "a.png", "text": "a"}\n{"image": "b.png"}\n');
    const whole = await clipvq('train', '--data', 'few.jsonl', '--run', 'few');
    expect([whole.status, whole.stderr]).toEqual([
      2,
      expect.stringMatching(/only a CLIP learns from: add --stage clip/),
    ]);
    const bad = await clipvq('train', '--stage', 'clip', '--data', 'few.jsonl', '--run', 'few');
    expect([bad.status, bad.stderr]).toEqual([2, expect.stringMatching(/^clipvq: .*few\.jsonl, line 2: not a pair/m)]);
  });
});

describe('train in two stages', () => {
  const SECOND = [
    'diffusion.nullProbability=0',
    'diffusion.validateEvery=2',
    'diffusion.validationPictures=2',
    'diffusion.validationPrompts=["a hat"]',
    'finetune.steps=4',
    'finetune.batch=4',
    'finetune.schedule=plateau',
    'finetune.plateauSignal=clip-score',
    'finetune.warmupSteps=2',
    'finetune.learningRate=0.01',
  ].flatMap((setting) => ['--set', setting]);

  it('goes on from the first, steered by CLIP scores, and generates with what the second has made', async () => {
    const train = await clipvq(
      ...['train', '--data', 'faces', '--clip', 'run/clip', '--run', 'two', '--json', ...QUICK, ...SECOND],
    );
    expect(train.status, train.stderr).toBe(0);
    const { seconds } = JSON.parse(train.stdout) as { seconds: Record<string, number> };
    expect(Object.keys(seconds)).toEqual(['tokenizer', 'diffusion', 'finetune']);
    const steps = readLog(at('two')).filter(({ stage }) => stage === 'finetune');
    expect(steps.map(({ step, clipScore }) => [step, Math.abs(clipScore ?? Number.NaN) <= 1])).toEqual([
      [1, false],
      [2, true],
      [3, false],
      [4, true],
    ]);
    const model = (stage: string) => fs.readFileSync(at('two', stage, 'model.safetensors'));
    expect(model('finetune').equals(model('diffusion'))).toBe(false);

    // The command line's way to a sampler once; all of them through what it calls.
    const { status, stderr } = await clipvq(
      ...['generate', '--model', 'two', 'a hat', '-n', '1', '--seed', '3', '--sampler', 'halton', '--out', 'hat.png'],
    );
    expect(status, stderr).toBe(0);
    const generator = await Generator.load(at('two'), { threads: 1 });
    const drawn = new Map<string, Buffer>();
    for (const sampler of ['ancestral', 'purity', 'halton', 'remask', 'fast', 'reference'] as const) {
      const [picture] = await generator.generate('a hat', { sampler, seed: 3 });
      const png = await generator.toPng(picture!);
      expect(JSON.parse(readPngText(png).Settings!)).toMatchObject({ sampler });
      drawn.set(sampler, png);
    }
    await generator.close();
    expect(new Set([...drawn.values()].map((png) => png.toString('base64'))).size).toBe(drawn.size);
    expect(fs.readFileSync(at('hat.png')).equals(drawn.get('halton')!)).toBe(true);
  });

  it('says so when there is no second stage', async () => {
    const { status, stderr } = await clipvq('train', '--run', 'run', '--resume', '--stage', 'finetune');
    expect(status).toBe(2);
    expect(stderr).toMatch(/finetune\.steps is 0/);
  });
});

describe('train --estimate', () => {
  it('prints what each stage costs, and writes nothing', async () => {
    const before = fs.readdirSync(folder);
    // What the paper's stages cost is checked in `src/bench/estimate.test.ts`.
    const changes = ['tokenizer.steps=11', 'diffusion.steps=22', 'finetune.steps=33', 'diffusion.nullProbability=0'];
    const two = [...QUICK, ...changes.flatMap((change) => ['--set', change])];
    const { status, stdout, stderr } = await clipvq('train', '--clip', 'run/clip', ...two, '--estimate', '--json');
    expect(status, stderr).toBe(0);
    const { stages, seconds } = JSON.parse(stdout) as {
      stages: Record<'stage' | 'parameters' | 'steps' | 'gflopPerStep' | 'memoryGB' | 'seconds', number | string>[];
      seconds: number;
    };
    expect(stages.map(({ stage, steps }) => [stage, steps])).toEqual([
      ['tokenizer', 11],
      ['diffusion', 22],
      ['finetune', 33],
    ]);
    const settings = QUICK.flatMap((word) => (word === '--set' ? [] : [word.split('=')]));
    // That of the CLIP in the folder.
    const recipe = makeRecipe('nano', Object.fromEntries(settings));
    const sizes = transformerConfig(recipe, recipe.clip.dim);
    expect(stages[1]!.parameters).toBe(countParameters(diffusionParameters(sizes)));
    expect(stages.reduce((sum, stage) => sum + Number(stage.seconds), 0)).toBeCloseTo(seconds, 0);
    expect(fs.readdirSync(folder)).toEqual(before);
  });

  it('is a table for people, of the settings that are asked for', async () => {
    const changed = [...QUICK, '--set', 'diffusion.steps=123456'];
    const { stdout } = await clipvq('train', '--preset', 'nano', '--data', 'faces', '--estimate', ...changed);
    expect(stdout).toMatch(/parameters.*GFLOP.*memory.*time/);
    expect(stdout).toMatch(/clip.*\n.*tokenizer.*\n.*diffusion.*123456/);
  });
});

describe('evaluate and reconstruct', () => {
  it('print their numbers', async () => {
    const evaluated = await clipvq('evaluate', '--model', 'run', '--pictures', '8', '-n', '1', '--json');
    expect(evaluated.status, evaluated.stderr).toBe(0);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      pictures: 8,
      reconstruction: { psnr: expect.any(Number) },
      clipScore: { p: expect.any(Number) },
    });
    const back = await clipvq('reconstruct', 'faces', '--model', 'run', '-n', '3', '--out', 'back.png', '--json');
    expect(back.status, back.stderr).toBe(0);
    expect(JSON.parse(back.stdout)).toMatchObject({ sheet: 'back.png', pictures: [{}, {}, {}] });
    expect(fs.existsSync(at('back.png'))).toBe(true);
  });
});

describe('bench', () => {
  it.each(['train-step', 'sample-step'])('%s prints its numbers', async (name) => {
    const sizes = [
      '--layers',
      '1',
      '--dim',
      '32',
      '--heads',
      '2',
      '--grid',
      '4',
      '--codes',
      '16',
      '--batch',
      '2',
      '--rounds',
      '3',
    ];
    const { status, stdout, stderr } = await clipvq('bench', name, ...sizes, '--json');
    expect(status, stderr).toBe(0);
    const number = expect.any(Number);
    expect(JSON.parse(stdout)).toEqual({
      medianMs: number,
      minMs: number,
      paramsM: number,
      gflops: number,
      stateMB: number,
      activationsMB: number,
      peakRssMB: number,
    });
  });
});
