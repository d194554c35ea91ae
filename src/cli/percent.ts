/** A share, in [0, 1], as `62 %`; with so many digits behind the point. */
export const percent = (share: number, digits = 0): string => `${(100 * share).toFixed(digits)} %`;
