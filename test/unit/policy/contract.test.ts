import { describe, expect, test } from '@jest/globals';
import type { CatalogueControl } from '../../../src/policy/catalogue.ts';
import { controlResult } from '../../../src/policy/contract.ts';
import { answer } from './tinyBundle.ts';

const store = { namespace: 'platform-db', name: 'analytics' };
const subject = { namespace: 'platform-db', store: 'analytics' };
const control: CatalogueControl = {
  id: 'TEST-01',
  entrypoint: 'test',
  title: 'A test',
  description: 'A test.',
  severity: 'high',
  facts: [],
  parameters: [],
  reasonCodes: {
    FINE: { outcome: 'Pass', message: '{count} rows are fine' },
    BAD: { outcome: 'Fail', message: '{deleters} delete until {until:time}, for {span:duration}' },
    OPEN: { outcome: 'Unknown', message: 'open' },
  },
  refs: { gdpr: ['5(1)(e)'] },
  remediation: 'Do something.',
};
const pass = { outcome: 'Pass', subject, code: 'FINE', args: { count: 3 } };

describe('an odd answer is an Error, never a Pass', () => {
  const cases: [string, string, string][] = [
    ['empty text', '', 'NO_ANSWER'],
    ['text that is not JSON', '{"a"', 'NO_ANSWER'],
    ['null', 'null', 'NO_ANSWER'],
    ['true', 'true', 'NO_ANSWER'],
    ['an undefined rule', '[]', 'NO_ANSWER'],
    ['two results', JSON.stringify([{ result: [pass] }, { result: [pass] }]), 'NO_ANSWER'],
    ['a result that is no list', JSON.stringify([{ result: { Pass: true } }]), 'NO_ANSWER'],
    ['a result that is true', JSON.stringify([{ result: true }]), 'NO_ANSWER'],
    ['no fact at all', answer(), 'NO_ANSWER'],
    ['a fact that is null', answer(null), 'BAD_SHAPE'],
    ['a fact that is text', answer('Pass'), 'BAD_SHAPE'],
    ['one bad fact beside a good one', answer(pass, 'Pass'), 'BAD_SHAPE'],
    ['an outcome nobody knows', answer({ ...pass, outcome: 'Passed' }), 'BAD_SHAPE'],
    ['the outcome of the engine itself', answer({ ...pass, outcome: 'Error' }), 'BAD_SHAPE'],
    ['a missing outcome', answer({ subject, code: 'FINE', args: {} }), 'BAD_SHAPE'],
    ['a missing code', answer({ outcome: 'Pass', subject, args: {} }), 'BAD_SHAPE'],
    ['missing args', answer({ outcome: 'Pass', subject, code: 'FINE' }), 'BAD_SHAPE'],
    ['an arg that is an object', answer({ ...pass, args: { count: {} } }), 'BAD_SHAPE'],
    ['an arg that is null', answer({ ...pass, args: { count: null } }), 'BAD_SHAPE'],
    ['an arg that is a list with an object in it', answer({ ...pass, args: { count: [1, {}] } }), 'BAD_SHAPE'],
    ['args that are a list', answer({ ...pass, args: [] }), 'BAD_SHAPE'],
    ['a fact that is a list', answer([]), 'BAD_SHAPE'],
    ['a result that is null', '[null]', 'NO_ANSWER'],
    ['a subject with a field nobody knows', answer({ ...pass, subject: { ...subject, client: 'a' } }), 'BAD_SHAPE'],
    ['a namespace that is a number', answer({ ...pass, subject: { ...subject, namespace: 1 } }), 'BAD_SHAPE'],
    ['a store that is a number', answer({ ...pass, subject: { ...subject, store: 1 } }), 'BAD_SHAPE'],
    ['a field nobody knows', answer({ ...pass, waived: true }), 'BAD_SHAPE'],
    ['a missing subject', answer({ ...pass, subject: undefined }), 'BAD_SHAPE'],
    ['a collection that is a number', answer({ ...pass, subject: { ...subject, collection: 1 } }), 'BAD_SHAPE'],
    ['another store', answer({ ...pass, subject: { ...subject, store: 'other' } }), 'FOREIGN_SUBJECT'],
    ['another namespace', answer({ ...pass, subject: { ...subject, namespace: 'other' } }), 'FOREIGN_SUBJECT'],
    ['a code that is not listed', answer({ ...pass, code: 'GREAT' }), 'UNKNOWN_CODE'],
    ['a code every object has', answer({ ...pass, code: 'constructor' }), 'UNKNOWN_CODE'],
    ['a failing code given as a pass', answer({ ...pass, code: 'BAD' }), 'UNKNOWN_CODE'],
  ];
  test.each(cases)('%s', (_, text, code) => {
    expect(controlResult(control, store, { text })).toMatchObject({ outcome: 'Error', findings: [{ outcome: 'Error', code, subject, args: {} }] });
  });

  test('no answer for a reason', () => {
    const result = controlResult(control, store, { error: 'THREW', detail: 'conflict' });
    expect(result.findings).toEqual([{ outcome: 'Error', subject, code: 'THREW', args: {}, message: 'the control stopped with an error: conflict' }]);
  });
});

test('a fact is joined with the words of the catalogue', () => {
  const args = { deleters: ['pg_cron', 'pg_partman'], until: 1_800_000_000, span: 86_400 };
  expect(controlResult(control, store, { text: answer({ outcome: 'Fail', subject: { ...subject, collection: 'rows' }, code: 'BAD', args }) })).toEqual({
    control: 'TEST-01',
    title: 'A test',
    severity: 'high',
    store,
    outcome: 'Fail',
    findings: [
      {
        outcome: 'Fail',
        subject: { ...subject, collection: 'rows' },
        code: 'BAD',
        args,
        message: 'pg_cron, pg_partman delete until 2027-01-15T08:00:00Z, for 1 day',
      },
    ],
    remediation: 'Do something.',
    refs: { gdpr: ['5(1)(e)'] },
  });
});

test('a control may have nothing to judge, and say so with a figure of any kind', () => {
  const idle = { ...control, reasonCodes: { IDLE: { outcome: 'NotApplicable' as const, message: 'no purge in {modes}' } } };
  const args = { modes: ['Plan', 2, true], asked: false };
  expect(controlResult(idle, store, { text: answer({ outcome: 'NotApplicable', subject, code: 'IDLE', args }) })).toMatchObject({ outcome: 'NotApplicable', findings: [{ args, message: 'no purge in Plan, 2, true' }] });
});

test('an answer that failed without a word says which kind of failure it was, and no more', () => {
  expect(controlResult(control, store, { error: 'THREW' }).findings[0]?.message).toBe('the control stopped with an error');
});

test('the worst fact decides, and facts come worst first', () => {
  const open = { outcome: 'Unknown', subject, code: 'OPEN', args: {} };
  const bad = { outcome: 'Fail', subject, code: 'BAD', args: {} };
  const result = controlResult(control, store, { text: answer(pass, open, bad) });
  expect(result.outcome).toBe('Fail');
  expect(result.findings.map(({ outcome }) => outcome)).toEqual(['Fail', 'Unknown', 'Pass']);
  expect(controlResult(control, store, { text: answer(pass, open) }).outcome).toBe('Unknown');
});

test('facts of one outcome come by collection, code and figures, in whatever order they were found', () => {
  const open = (collection: string, code: string, args: object): object => ({ outcome: 'Unknown', subject: { ...subject, collection }, code, args });
  const many = { ...control, reasonCodes: { ...control.reasonCodes, OTHER: { outcome: 'Unknown' as const, message: 'x' } } };
  const facts = [open('b', 'OPEN', {}), open('a', 'OTHER', {}), open('a', 'OPEN', { y: 1, x: 2 }), open('a', 'OPEN', { x: 1, y: 2 })];
  const order = (given: object[]): unknown[] => controlResult(many, store, { text: answer(...given) }).findings.map(({ subject: { collection }, code, args }) => [collection, code, args['x']]);
  expect(order(facts)).toEqual([['a', 'OPEN', 1], ['a', 'OPEN', 2], ['a', 'OTHER', undefined], ['b', 'OPEN', undefined]]);
  expect(order(facts.toReversed())).toEqual(order(facts));
});
