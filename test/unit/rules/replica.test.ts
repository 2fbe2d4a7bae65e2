import { describe, expect, test } from '@jest/globals';
import { strangerProblem } from '../../../src/rules/replica.ts';
import type { StoreIdentity } from '../../../src/stores/facts.ts';

describe('what answers at a replica', () => {
  const identity: StoreIdentity = { fingerprint: 'sha256:target', bareFingerprint: 'sha256:bare', server: 'PostgreSQL 15', timeline: 1, replica: true };
  test.each<[string, Partial<StoreIdentity>, { passes: boolean; message: unknown } | undefined]>([
    ['is a replica of the store', {}, undefined],
    ['is one although its server took over another timeline', { timeline: 4 }, undefined],
    ['is another store', { fingerprint: 'sha256:other' }, { passes: false, message: expect.stringContaining('another system or database') }],
    ['is the same system before our schema came, or another one without it', { fingerprint: 'sha256:bare' }, { passes: true, message: expect.stringContaining('no schema dataward') }],
    ['takes writes', { replica: false }, { passes: false, message: expect.stringContaining('takes writes') }],
    ['is another store that takes writes', { fingerprint: 'sha256:other', replica: false }, { passes: false, message: expect.stringContaining('another system') }],
  ])('%s', (_, changes, problem) => {
    expect(strangerProblem({ ...identity, ...changes }, 'sha256:target')).toEqual(problem);
  });
});
