import type { StudioState } from '../../../src/studio/protocol.ts';

export function TrainView(_: { readonly state: StudioState }) {
  return <main id="main" tabIndex={-1} />;
}
