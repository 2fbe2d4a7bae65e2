import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { REASONS, REFUSALS, WAITS, type DriverReason } from '../../../src/api/reasons.ts';
import { STORE_ERROR_REASONS } from '../../../src/stores/errors.ts';

const SRC = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src');
/** Where conditions and events are worked out. */
const FOLDERS = ['compliance', 'connect', 'datamap', 'datastore', 'holds', 'retention'];
const WRITTEN = /(?:\breason: |(?:Terminal|Waiting|Connection)Error\()'([A-Z][A-Za-z]*)'/g;

/** Any quoted word: a reason may be chosen in one place and put into a condition in another. */
const QUOTED = /'([A-Z][A-Za-z]*)'/g;

/** The sources below a folder of src, with their path in it. */
function sourcesBelow(folder: string): { file: string; text: string }[] {
  const files = readdirSync(path.join(SRC, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.map((file) => ({ file, text: readFileSync(path.join(SRC, folder, file), 'utf8') }));
}

test('every reason that is written out in the code is in the documented list', () => {
  const undocumented = FOLDERS.flatMap((folder) => {
    return sourcesBelow(folder).flatMap(({ file, text }) => {
      const words = [...text.matchAll(WRITTEN)].map(([, word]) => word ?? '');
      return words.filter((word) => !Object.hasOwn(REASONS, word) && !Object.hasOwn(WAITS, word)).map((word) => `${folder}/${file}: ${word}`);
    });
  });
  expect(undocumented).toEqual([]);
});

test('every documented reason is written somewhere in the code', () => {
  const written = new Set(['cli', 'operator', 'rules', 'runtime', ...FOLDERS].flatMap(sourcesBelow).flatMap(({ text }) => [...text.matchAll(QUOTED)].map(([, word]) => word)));
  expect(Object.keys(REASONS).filter((word) => !written.has(word))).toEqual([]);
});

test('every reason docs/operations.md explains is one of these', () => {
  const table = /^\| reason \| what to do \|$([\s\S]*?)^$/m.exec(readFileSync(path.join(SRC, '..', 'docs', 'operations.md'), 'utf8'))?.[1] ?? '';
  const words = table.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([A-Z][A-Za-z]*)`/g)].map(([, word]) => word ?? ''));
  expect(words).toContain('AwaitingApproval');
  expect(words.filter((word) => !Object.hasOwn(REASONS, word) && !Object.hasOwn(WAITS, word))).toEqual([]);
});

test('every reason is one CamelCase word, and its meaning a sentence', () => {
  const wrong = Object.entries(REASONS).filter(([word, meaning]) => !/^[A-Z][A-Za-z]*$/.test(word) || word.length > 64 || !/^([A-Z]|spec[.]).*[.]$/.test(meaning));
  expect(wrong).toEqual([]);
});

describe('the words of the drivers', () => {
  const drivers = sourcesBelow('stores').filter(({ file }) => file.includes('/'));
  /** Words in the places where a driver names a reason. Errors have a list of their own. */
  const NAMED = [/\brefuse\('([A-Z]\w+)'/g, /\breason: '([A-Z]\w+)'/g, /\breturn '([A-Z][a-z]\w+)'/g, /\bpause\([^)\n]*'([A-Z]\w+)'/g, /export const [A-Z_]+ = '([A-Z][a-z]\w+)'/g, /'\d[0-9A-Z]{4}': '([A-Z]\w+)'/g];
  const used = new Set(drivers.flatMap(({ text }) => NAMED.flatMap((pattern) => [...text.matchAll(pattern)].map(([, word]) => word ?? ''))).filter((word) => !(STORE_ERROR_REASONS as readonly string[]).includes(word)));
  const documented = { ...REFUSALS, ...WAITS };

  test('are found: a test of nothing would always pass', () => {
    expect([...used]).toEqual(expect.arrayContaining(['ForeignKeyWithoutIndex', 'ReplicaLag', 'Deadlock', 'SlowBatches', 'CascadeReached', 'CycleNotSupported']));
  });

  test('are each in a documented list, and no list has one that no driver uses', () => {
    expect([...used].filter((word) => !Object.hasOwn(documented, word))).toEqual([]);
    expect(Object.keys(documented).filter((word) => !used.has(word))).toEqual([]);
  });

  test('have a meaning and a next step, each a sentence', () => {
    const wrong = Object.entries<DriverReason>(documented).filter(([word, { meaning, next }]) => !/^[A-Z][A-Za-z]*$/.test(word) || ![meaning, next].every((text) => /^[A-Z].*[.]$/.test(text)));
    expect(wrong).toEqual([]);
  });
});
