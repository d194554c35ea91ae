/**
 * Our byte-pair encoding as the files from which @huggingface/transformers (and the Python library) builds a
 * CLIPTokenizer.
 */

import { recordIn } from '../../base/record.ts';
import { type Bpe, END, END_OF_WORD, type Merge, PAD, START, WORD_PATTERN } from './bpe.ts';

const special = (bpe: Bpe, content: string) => ({
  id: bpe.id(content),
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** The contents of `tokenizer.json` and `tokenizer_config.json`, for texts of at most `context` tokens. */
export function tokenizerFiles(bpe: Bpe, context: number): Readonly<Record<string, unknown>> {
  const specials = [START, END, PAD];
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((token) => special(bpe, token)),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORD_PATTERN }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: [END, bpe.id(END)],
      cls: [START, bpe.id(START)],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: END,
      continuing_subword_prefix: '',
      end_of_word_suffix: END_OF_WORD,
      fuse_unk: false,
      vocab: Object.fromEntries(bpe.tokens.map((token, id) => [token, id])),
      merges: bpe.merges.map((pair) => pair.join(' ')),
    },
  };
  const config = {
    tokenizer_class: 'CLIPTokenizer',
    bos_token: START,
    eos_token: END,
    unk_token: END,
    pad_token: PAD,
    do_lower_case: true,
    model_max_length: context,
    clean_up_tokenization_spaces: true,
  };
  return { 'tokenizer.json': tokenizer, 'tokenizer_config.json': config };
}

/** The merges that the contents of a `tokenizer.json` hold, of this program or of another. */
export function mergesOf(tokenizer: unknown): readonly Merge[] {
  const given = recordIn(recordIn(tokenizer, 'model'), 'merges');
  const pairs = (Array.isArray(given) ? given : []).map((merge) =>
    Array.isArray(merge) ? merge : `${merge}`.split(' '),
  );
  return pairs.map(([left, right]): Merge => [`${left}`, `${right}`]);
}
