/**
 * The model of a process's first session (`thread-host.ts`): y = exp(x). It is kept as bytes, so that the host's thread
 * need not load the graph to write it: 35 ms of every start of a process with an engine.
 */

export const firstModel: Uint8Array = Buffer.from(
  'CAkSEGNsaXAtdnFkaWZmdXNpb246OQoLCgF4EgF5IgNFeHASEGNsaXAtdnFkaWZmdXNpb25iCwoBeRIGCgQIARIAWgsKAXgSBgoECAESAEIECgAQFEIRCg1jb20ubWljcm9zb2Z0EAE=',
  'base64',
);
