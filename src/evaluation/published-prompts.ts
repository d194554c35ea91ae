/** Published prompts, which belong to others: they are fetched when they are needed, and are no part of the package. */

import type { RemoteFile } from '../files/download.ts';
import { type PublishedSource, publishedFile } from './published-file.ts';

/**
 * The 64 prompts of faces that clip2latent (Pinkney & Li, 2210.02347) is evaluated on, and after it the paper: the file
 * that its `eval.py` reads, a prompt a line, without "a photograph of " before them.
 */
const CLIP2LATENT: RemoteFile = {
  url: 'https://raw.githubusercontent.com/justinpinkney/clip2latent/1ab20a99b5c5919a6b9b1b39a06a0eb41451e8b1/test.txt',
  sha256: '04c2fb283cb0eabf3f023595ac34faf513cb5ad0ef961e902782db5276fcf653',
  bytes: 1479,
};

/**
 * The file with them in the cache, fetched if it is not there yet.
 * @throws UserError if it cannot be had.
 */
export const facePromptsFile = ({
  published = CLIP2LATENT,
  ...source
}: PublishedSource & { readonly published?: RemoteFile } = {}): Promise<string> =>
  publishedFile(published, 'prompts', source, 'clip2latent-64.txt');
