import { describe, expect, test } from '@jest/globals';
import { parseFieldSelector, parseLabelSelector } from '../../../src/local/selectors.ts';

function labelled(labels: Record<string, string>): { apiVersion: string; kind: string; metadata: { name: string; labels: Record<string, string> } } {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', labels } };
}

describe('label selectors', () => {
  test.each([
    { selector: '', labels: {}, matches: true },
    { selector: 'a=1', labels: { a: '1' }, matches: true },
    { selector: 'a==1', labels: { a: '2' }, matches: false },
    { selector: 'a!=1', labels: {}, matches: true },
    { selector: 'a!=1', labels: { a: '1' }, matches: false },
    { selector: 'a in (1, 2)', labels: { a: '2' }, matches: true },
    { selector: 'a in (1,2)', labels: {}, matches: false },
    { selector: 'a notin (1,2)', labels: {}, matches: true },
    { selector: 'a notin (1,2)', labels: { a: '1' }, matches: false },
    { selector: 'a', labels: { a: '' }, matches: true },
    { selector: '!a', labels: { a: '1' }, matches: false },
    { selector: 'x.io/a=1,b in (2,3),!c', labels: { 'x.io/a': '1', b: '3' }, matches: true },
    { selector: 'a=', labels: { a: '' }, matches: true },
    { selector: 'a=', labels: {}, matches: false },
    { selector: 'constructor', labels: {}, matches: false },
    { selector: '!constructor', labels: {}, matches: true },
  ])('$selector on $labels: $matches', ({ selector, labels, matches }) => {
    expect(parseLabelSelector(selector)(labelled(labels as Record<string, string>))).toBe(matches);
  });

  test.each(['a b', 'a in 1', 'a=1=2', '=1', 'a in (1'])('refuses %s with 400', (selector) => {
    expect(() => parseLabelSelector(selector)).toThrow(expect.objectContaining({ code: 400 }));
  });
});

describe('field selectors', () => {
  const fields = (): Record<string, string> => ({ 'metadata.name': 'x', type: 'Normal' });

  test.each([
    { selector: 'metadata.name=x', matches: true },
    { selector: 'metadata.name==y', matches: false },
    { selector: 'metadata.name=x,type!=Warning', matches: true },
    { selector: 'type!=Normal', matches: false },
  ])('$selector: $matches', ({ selector, matches }) => {
    expect(parseFieldSelector(selector, ['metadata.name', 'type'], fields)(labelled({}))).toBe(matches);
  });

  test('a field that cannot be selected is refused, not ignored', () => {
    expect(() => parseFieldSelector('spec.x=1', ['metadata.name'], fields)).toThrow('field label not supported: spec.x');
  });
});
