import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { REASONS } from '../../../src/api/reasons.ts';

const SRC = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src');
/** Where conditions and events are worked out. */
const FOLDERS = ['compliance', 'connect', 'datamap', 'datastore', 'holds', 'retention'];
const WRITTEN = /(?:\breason: |(?:Terminal|Waiting|Connection)Error\()'([A-Z][A-Za-z]*)'/g;

test('every reason that is written out in the code is in the documented list', () => {
  const undocumented = FOLDERS.flatMap((folder) => {
    const files = readdirSync(path.join(SRC, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    return files.flatMap((file) => {
      const words = [...readFileSync(path.join(SRC, folder, file), 'utf8').matchAll(WRITTEN)].map(([, word]) => word ?? '');
      return words.filter((word) => !Object.hasOwn(REASONS, word)).map((word) => `${folder}/${file}: ${word}`);
    });
  });
  expect(undocumented).toEqual([]);
});

test('every reason is one CamelCase word, and its meaning a sentence', () => {
  const wrong = Object.entries(REASONS).filter(([word, meaning]) => !/^[A-Z][A-Za-z]*$/.test(word) || word.length > 64 || !/^([A-Z]|spec[.]).*[.]$/.test(meaning));
  expect(wrong).toEqual([]);
});
