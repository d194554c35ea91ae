/**
 * The tokenizer of OpenAI's CLIP from its published merges file: text cleaning, byte-pair encoding, and the padded rows
 * its text transformer reads. Our compact CLIP has a vocabulary of its own; this one is for models trained elsewhere.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../errors.ts';
import { Bpe, type Merge } from './bpe.ts';
import { unescapeHtml } from './html-entities.ts';
