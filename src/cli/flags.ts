/** Options in messages (`base/options.ts`) as flags of the command line. */

/** The flags of the options that messages name. */
const FLAGS: Readonly<Record<string, string>> = {
  changed: '--changed',
  clip: '--clip',
  data: '--data',
  device: '--device',
  heads: '--heads',
  imageSize: '--image-size',
  longer: '--longer',
  lpips: '--lpips',
  memory: '--memory',
  microBatches: '--accumulate',
  model: '--model',
  offline: '--offline',
  preset: '--preset',
  resume: '--resume',
  run: '--run',
  seed: '--seed',
  set: '--set',
  stages: '--stage',
  sync: '--sync',
  threads: '--threads',
};

const VALUE = String.raw`"(?:[^"\\]|\\.)*"|[\w.]+`;
const ENTRY = new RegExp(String.raw`(\w+)(?:: (${VALUE}))?`, 'g');
const OPTION = new RegExp(`\`(?:${Object.keys(FLAGS).join('|')})(?:: (?:${VALUE}))?\``, 'g');
const CALL = new RegExp(String.raw`\`train\(\{ ((?:\w+: (?:${VALUE})(?:, )?)+) \}\)\``, 'g');

/** A message with flags in the place of options, and with the command in the place of a call. */
export const withFlags = (text: string): string =>
  text.replace(CALL, (_, options: string) => `clipvq train ${flagsOf(options)}`).replace(OPTION, flagsOf);

const flagsOf = (options: string): string =>
  [...options.matchAll(ENTRY)]
    .map(([, name = '', value = 'true']) => (value === 'true' ? FLAGS[name] : `${FLAGS[name]} ${JSON.parse(value)}`))
    .join(' ');
