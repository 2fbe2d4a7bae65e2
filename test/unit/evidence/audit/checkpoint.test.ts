import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { directoryCheckpointSink } from '../../../../src/evidence/audit/checkpoint-directory.ts';
import { checkpointIsDue, checkpointIsGenuine, parseCheckpoint, publishCheckpoint, signCheckpoint, type CheckpointSink } from '../../../../src/evidence/audit/checkpoint.ts';
import { generateSigningKey } from '../../../../src/evidence/keys.ts';
import { NOON, withFolder } from '../../../support/chain.ts';

const key = generateSigningKey();
const at = (seq: number, letter = 'a', chainId = 'chain-1') => signCheckpoint(chainId, { seq, hash: letter.repeat(64) }, key, NOON);

describe('a checkpoint is due', () => {
  const rule = { everyRecords: 100, everyMillis: 60_000 };
  test.each<[boolean, string, { seq: number; at: number } | undefined, number, number]>([
    [false, 'not of an empty chain', undefined, 0, 0],
    [true, 'when there was none', undefined, 1, 0],
    [false, 'not after few records in a short time', { seq: 5, at: 0 }, 104, 59_999],
    [true, 'after enough records', { seq: 5, at: 0 }, 105, 1],
    [true, 'after enough time', { seq: 5, at: 0 }, 6, 60_000],
    [false, 'not in a shorter time since the last, whenever that was', { seq: 5, at: 1_000_000 }, 6, 1_059_999],
    [true, 'after enough time since the last, whenever that was', { seq: 5, at: 1_000_000 }, 6, 1_060_000],
    [false, 'not when nothing is new, however long ago', { seq: 5, at: 0 }, 5, 1e9],
  ])('%s: %s', (due, _name, last, seq, now) => {
    expect(checkpointIsDue(rule, last, { seq, hash: '' }, now)).toBe(due);
  });
});

describe('parseCheckpoint', () => {
  test('reads what was signed', () => {
    const checkpoint = at(7);
    expect(parseCheckpoint(JSON.stringify(checkpoint))).toEqual(checkpoint);
    expect(checkpointIsGenuine(parseCheckpoint(JSON.stringify(checkpoint)), key.publicKey)).toBe(true);
  });

  test.each(['[]', '{}', 'null', '"x"', JSON.stringify({ ...at(7), more: 1 }), JSON.stringify({ ...at(7), seq: '7' }), JSON.stringify({ ...at(7), seq: 0 })])('refuses %s', (text) => {
    expect(() => parseCheckpoint(text)).toThrow('is no checkpoint');
  });
});

test.each(['chainId', 'rootHash', 'ts', 'keyId', 'sig'])('a checkpoint whose %s is no text is none', (member) => {
  expect(() => parseCheckpoint(JSON.stringify({ ...at(7), [member]: 1 }))).toThrow('a member has the wrong type');
});

test('a checkpoint may be of the first record, and of no part of one', () => {
  expect(parseCheckpoint(JSON.stringify(at(1)))).toEqual(at(1));
  expect(() => parseCheckpoint(JSON.stringify({ ...at(1), seq: 1.5 }))).toThrow('a member has the wrong type');
  expect(() => parseCheckpoint('{}')).toThrow('its members are none');
});

describe('the directory sink', () => {
  test('keeps what was put, through a second put of the same', async () => {
    await withFolder(async (parent) => {
      const sink = directoryCheckpointSink(join(parent, 'anchors'));
      for (const checkpoint of [at(2), at(10), at(2), at(3, 'b', 'chain-2')]) await sink.put(checkpoint);
      expect(await sink.list()).toEqual([at(2), at(10), at(3, 'b', 'chain-2')]);
      expect(readdirSync(join(parent, 'anchors')).every((file) => file.endsWith('.json'))).toBe(true);
    });
  });

  test('refuses another history for a place it has', async () => {
    await withFolder(async (dir) => {
      const sink = directoryCheckpointSink(dir);
      await sink.put(at(2));
      await expect(sink.put(at(2, 'b'))).rejects.toThrow('anchors another history at seq 2');
      expect(await sink.list()).toEqual([at(2)]);
    });
  });

  test('names a file it cannot read instead of leaving it out', async () => {
    await withFolder(async (dir) => {
      const sink = directoryCheckpointSink(dir);
      await sink.put(at(2));
      const [file] = readdirSync(dir);
      writeFileSync(join(dir, file!), readFileSync(join(dir, file!)).subarray(0, 40));
      await expect(sink.list()).rejects.toThrow(file);
    });
  });

  test('has no checkpoints before the first, and says so when its folder is missing', async () => {
    await withFolder(async (dir) => {
      expect(await directoryCheckpointSink(dir).list()).toEqual([]);
      await expect(directoryCheckpointSink(join(dir, 'gone')).list()).rejects.toThrow('ENOENT');
    });
  });

  test('does not leave its folder for a chain id that is a path', async () => {
    await withFolder(async (dir) => {
      await expect(directoryCheckpointSink(dir).put(at(1, 'a', '../../etc/x'))).rejects.toThrow('not a plain name');
    });
  });
});

test('a sink that fails does not keep a checkpoint from the others', async () => {
  await withFolder(async (dir) => {
    const good = directoryCheckpointSink(dir);
    const bad: CheckpointSink = { name: 'bad', put: () => Promise.reject(new Error('403')), list: async () => [] };
    const outcomes = await publishCheckpoint(at(4), [bad, good]);
    expect(outcomes).toEqual([{ sink: 'bad', error: new Error('403') }, { sink: good.name }]);
    expect(await good.list()).toEqual([at(4)]);
  });
});
