import { describe, expect, test } from '@jest/globals';
import type { Checkpoint } from '../../../../src/evidence/audit/checkpoint.ts';
import { judgeCompleteness, type SeenChain } from '../../../../src/evidence/audit/completeness.ts';

const at = (seq: number, rootHash = `hash ${seq}`, chainId = 'ours'): Checkpoint => ({ chainId, seq, rootHash, ts: '2026-11-24T12:00:00.000Z' }) as Checkpoint;
/** A whole chain of ten records, each of whose hashes is asked for. */
const whole = (changes: Partial<SeenChain> = {}): SeenChain => ({ chainId: 'ours', proven: 10, broken: false, highest: 10, hashes: new Map(Array.from({ length: 10 }, (_, index) => [index + 1, new Set([`hash ${index + 1}`])])), ...changes });

describe('beside one checkpoint a chain is', () => {
  test.each<[string, string, Checkpoint, SeenChain]>([
    ['Complete', 'the record is the one that was there', at(10), whole()],
    ['ChainMissing', 'there is no chain', at(10), whole({ chainId: undefined, proven: 0, highest: 0, hashes: new Map() })],
    ['ChainMissing', 'there is another', at(5, 'hash 5', 'theirs'), whole()],
    ['Truncated', 'the record comes after the last', at(11), whole()],
    ['Rewritten', 'the record has another hash', at(5, 'other'), whole()],
    ['Rewritten', 'two records claim the place', at(5), whole({ hashes: new Map([[5, new Set(['hash 5', 'other'])]]) })],
    ['Rewritten', 'no record claims the place, though later ones are there', at(5), whole({ hashes: new Map() })],
    ['Undetermined', 'it is broken before the record, which claims the right hash', at(5), whole({ proven: 4, broken: true })],
    ['Complete', 'it is broken right after the record', at(5), whole({ proven: 5, broken: true })],
    ['Undetermined', 'its first record, which would name it, is broken', at(5), whole({ chainId: undefined, proven: 0, broken: true })],
  ])('%s where %s', (state, _, checkpoint, seen) => {
    expect(judgeCompleteness([checkpoint], seen)).toMatchObject({ state, anchoredThrough: state === 'Complete' ? checkpoint.seq : 0 });
  });
});

test('a chain without checkpoints is neither complete nor anything else', () => {
  expect(judgeCompleteness([], whole())).toEqual({ state: 'Unanchored', anchoredThrough: 0, unanchored: 10, findings: [] });
});

test('a chain is anchored through the last record that meets its checkpoint, in whatever order they come', () => {
  expect(judgeCompleteness([at(3), at(7), at(5)], whole())).toEqual({ state: 'Complete', anchoredThrough: 7, unanchored: 3, findings: [] });
  expect(judgeCompleteness([at(7)], whole({ proven: 5 })).unanchored).toBe(0);
});

test('the worst of several findings decides and is told first, of one kind the earliest, twenty at most', () => {
  const { state, findings, anchoredThrough } = judgeCompleteness([at(12), at(11), at(6, 'other'), at(4, 'x', 'theirs'), at(2)], whole());
  expect([state, anchoredThrough, findings.map((finding) => [finding.state, finding.checkpoint.seq])]).toEqual(['ChainMissing', 2, [['ChainMissing', 4], ['Rewritten', 6], ['Truncated', 11], ['Truncated', 12]]]);
  expect(judgeCompleteness(Array.from({ length: 25 }, (_, index) => at(11 + index)), whole()).findings).toHaveLength(20);
});
