import * as z from 'zod';
import type { PlateauSettings } from '../../src/optim/plateau.ts';

/** A learning-rate schedule as the reference configures it. */
export const plateauConfig = z.object({
  factor: z.number(),
  patience: z.number(),
  cooldown: z.number().default(0),
  min_lr: z.number(),
  threshold: z.number(),
  threshold_mode: z.enum(['rel', 'abs']),
  mode: z.enum(['min', 'max']).default('min'),
  eps: z.number().default(1e-8),
  warmup_lr: z.number(),
  warmup: z.number(),
});

/** The same schedule in our settings. */
export const plateauSettingsOf = (config: z.infer<typeof plateauConfig>): PlateauSettings => ({
  warmupRate: config.warmup_lr,
  warmupSteps: config.warmup,
  minRate: config.min_lr,
  factor: config.factor,
  patience: config.patience,
  cooldown: config.cooldown,
  mode: config.mode,
  threshold: config.threshold,
  thresholdMode: config.threshold_mode,
  smallestChange: config.eps,
});
