/** Emitted declarations, read as text: each statement begins in the first column. */

import fs from 'node:fs';
import path from 'node:path';

/** A declared name: its file and its name there. */
interface Place {
  readonly file: string;
  readonly name: string;
}

interface Declarations {
  /** What is declared in the file: its text, by name. */
  readonly own: ReadonlyMap<string, string>;
  /** What is imported, or handed on, by the name it has here. */
  readonly others: ReadonlyMap<string, Place>;
  /** Names that are handed on. */
  readonly exported: readonly string[];
}

const NAMES = /^(import|export)(?: type)? \{([^}]*)\} from '(\.[^']+)'/gm;
const DECLARED = /^(?:export )?(?:declare )?(?:interface|type|class|function|const) (\w+)/;

function read(file: string): Declarations {
  const text = fs.readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const others = new Map<string, Place>();
  const exported: string[] = [];
  for (const [, kind, names = '', from = ''] of text.matchAll(NAMES)) {
    const target = path.join(path.dirname(file), from.replace(/\.[jt]s$/, '.d.ts'));
    for (const each of names.split(',').filter((one) => one.trim() !== '')) {
      const [name = '', alias = name] = each
        .trim()
        .replace(/^type /, '')
        .split(' as ');
      others.set(alias, { file: target, name });
      if (kind === 'export') exported.push(alias);
    }
  }
  const own = new Map<string, string>();
  for (const statement of text.split(/^(?=export |declare |interface |type |import )/m)) {
    const name = DECLARED.exec(statement)?.[1];
    if (name !== undefined) own.set(name, `${own.get(name) ?? ''}${statement}`);
  }
  return { own, others, exported };
}

/**
 * The types that signatures and types exported by `index` name without being exported by it, each as `user -> type`.
 * What stands behind `typeof` is a value: nobody has to write its name.
 */
export function unexportedTypes(index: string): { readonly checked: number; readonly missing: readonly string[] } {
  const files = new Map<string, Declarations>();
  const declarationsOf = (file: string): Declarations => {
    const known = files.get(file) ?? read(file);
    files.set(file, known);
    return known;
  };
  const find = ({ file, name }: Place): Place | undefined => {
    const { own, others } = declarationsOf(file);
    if (own.has(name)) return { file, name };
    const other = others.get(name);
    return other && find(other);
  };
  const keyOf = ({ file, name }: Place) => `${file} ${name}`;
  const isPlace = (place: Place | undefined): place is Place => place !== undefined;
  const door = declarationsOf(index)
    .exported.map((name) => find({ file: index, name }))
    .filter(isPlace);
  const exported = new Set(door.map(keyOf));
  const missing = door.flatMap(({ file, name }) => {
    const text = declarationsOf(file)
      .own.get(name)!
      .replace(/'[^']*'|typeof \w+/g, '');
    const used = new Set([...text.matchAll(/(?<![.\w])[A-Za-z_]\w*(?!\w|\??:)/g)].map(([word]) => word));
    const places = [...used].map((word) => find({ file, name: word })).filter(isPlace);
    return places.filter((place) => !exported.has(keyOf(place))).map((place) => `${name} -> ${place.name}`);
  });
  return { checked: door.length, missing };
}
