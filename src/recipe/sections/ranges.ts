/** The ranges that settings share. */

import * as z from 'zod';

/** No setting is larger: what lies beyond is a typing error. */
export const MOST = { steps: 1e9, pictures: 1e9, batch: 65_536, width: 65_536, side: 16_384, depth: 1024, weight: 1e6 };

export const count = (most: number) => z.int().positive().max(most);
export const stepsFrom0 = () => z.int().min(0).max(MOST.steps);
export const positive = () => z.number().positive().max(MOST.weight);
export const weight = () => z.number().min(0).max(MOST.weight);
export const fraction = () => z.number().min(0).max(1);
