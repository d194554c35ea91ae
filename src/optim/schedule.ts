/** Learning-rate schedules: pure functions of the step. */

/** Linear warm-up over `warmupSteps`, then a cosine from `learningRate` to a twentieth of it at `steps`. */
export function warmupCosine(
  { learningRate, warmupSteps, steps }: { learningRate: number; warmupSteps: number; steps: number },
  step: number,
): number {
  if (step < warmupSteps) return warmupConstant({ learningRate, warmupSteps }, step);
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  const floor = 0.05;
  return learningRate * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** Linear warm-up over `warmupSteps`, then `learningRate` to the end. */
export function warmupConstant(
  { learningRate, warmupSteps }: { learningRate: number; warmupSteps: number },
  step: number,
): number {
  return step < warmupSteps ? (learningRate * (step + 1)) / warmupSteps : learningRate;
}
