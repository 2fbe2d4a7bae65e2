import { describe, expect, test } from '@jest/globals';
import type { Framework } from '../../../src/policy/catalogue.ts';
import type { ControlResult, Outcome } from '../../../src/policy/result.ts';
import { clauseStates, scoreOf } from '../../../src/policy/score.ts';

function result(control: string, outcome: Outcome, store = 'analytics'): ControlResult {
  return { control, title: control, severity: 'high', store: { namespace: 'ns', name: store }, outcome, findings: [], remediation: '', refs: {} };
}

describe('the score', () => {
  test('counts each control once, by its worst store', () => {
    const results = [result('A', 'Pass'), result('A', 'Fail', 'other'), result('B', 'Pass'), result('B', 'NotApplicable', 'other')];
    expect(scoreOf(['A', 'B'], results)).toEqual({ pass: 1, fail: 1, unknown: 0, error: 0, notApplicable: 0, ratio: '0.50' });
  });

  test('takes a control without a result for unknown', () => {
    expect(scoreOf(['A', 'B'], [result('A', 'Pass')])).toEqual({ pass: 1, fail: 0, unknown: 1, error: 0, notApplicable: 0, ratio: '0.50' });
  });

  test('has no ratio without data: that would not be a hundred percent', () => {
    expect(scoreOf([], [])).not.toHaveProperty('ratio');
    // Nor would it be none at all.
    expect(scoreOf(['A', 'B'], [result('A', 'Unknown')])).toEqual({ pass: 0, fail: 0, unknown: 2, error: 0, notApplicable: 0 });
    expect(scoreOf(['A'], [result('A', 'NotApplicable')])).toEqual({ pass: 0, fail: 0, unknown: 0, error: 0, notApplicable: 1 });
  });

  test('takes a control that could not be evaluated for one that does not pass', () => {
    expect(scoreOf(['A', 'B'], [result('A', 'Pass'), result('B', 'Error')])).toEqual({ pass: 1, fail: 0, unknown: 0, error: 1, notApplicable: 0, ratio: '0.50' });
  });

  test('leaves results of controls out of scope alone', () => {
    expect(scoreOf(['A'], [result('A', 'Pass'), result('Z', 'Fail')])).toMatchObject({ pass: 1, fail: 0, ratio: '1.00' });
  });

  test.each([
    [41, 4, '0.91'],
    [999, 1, '0.99'],
    [29, 71, '0.29'],
    [0, 3, '0.00'],
    [3, 0, '1.00'],
    [5, 95, '0.05'],
  ])('of %d passing and %d failing controls is %s', (passing, failing, ratio) => {
    const outcomes = [...Array.from({ length: passing }, () => 'Pass' as const), ...Array.from({ length: failing }, () => 'Fail' as const)];
    const results = outcomes.map((outcome, index) => result(`C${index}`, outcome));
    expect(scoreOf(results.map(({ control }) => control), results).ratio).toBe(ratio);
  });
});

describe('a clause', () => {
  const states = (outcomes: Record<string, Outcome>, noFactSource: string[] = []): unknown => {
    const framework: Framework = { id: 'f', title: 'F', clauses: [{ id: 'S04', title: 'Encrypted', controls: ['A', 'B'], noFactSource }] };
    const results = Object.entries(outcomes).map(([control, outcome]) => result(control, outcome));
    const [clause] = clauseStates([framework], ['A', 'B'], results);
    return [clause?.state, clause?.because];
  };

  test.each<[string, Record<string, Outcome>, string[], unknown]>([
    ['is kept when all its controls pass', { A: 'Pass', B: 'Pass' }, [], ['Kept', []]],
    ['is kept when one does not apply', { A: 'Pass', B: 'NotApplicable' }, [], ['Kept', []]],
    ['is not kept by nothing that applies', { A: 'NotApplicable', B: 'NotApplicable' }, [], ['Unknown', []]],
    ['is broken by one failure', { A: 'Pass', B: 'Fail' }, [], ['Broken', ['B']]],
    ['is broken whatever else is unknown', { A: 'Unknown', B: 'Fail' }, ['X'], ['Broken', ['A', 'B', 'X']]],
    ['is unknown beside an error', { A: 'Pass', B: 'Error' }, [], ['Unknown', ['B']]],
    ['is unknown without a result', { A: 'Pass' }, [], ['Unknown', ['B']]],
    ['is unknown while a control it needs has no fact source', { A: 'Pass', B: 'Pass' }, ['X'], ['Unknown', ['X']]],
  ])('%s', (_, outcomes, noFactSource, want) => {
    expect(states(outcomes, noFactSource)).toEqual(want);
  });

  test('is not kept without a control that it needs and nobody asks for', () => {
    const framework: Framework = { id: 'f', title: 'F', clauses: [{ id: 'S04', title: 'Encrypted', controls: ['A', 'B'], noFactSource: [] }] };
    expect(clauseStates([framework], ['A'], [result('A', 'Pass')])).toEqual([{ framework: 'f', id: 'S04', title: 'Encrypted', state: 'Unknown', controls: ['A', 'B'], because: ['B'] }]);
  });

  test('without any control is unknown', () => {
    const framework: Framework = { id: 'f', title: 'F', clauses: [{ id: 'S07', title: 'NDA', controls: [], noFactSource: ['ACCESS-04'] }] };
    expect(clauseStates([framework], [], [])).toEqual([{ framework: 'f', id: 'S07', title: 'NDA', state: 'Unknown', controls: [], because: ['ACCESS-04'] }]);
  });
});
