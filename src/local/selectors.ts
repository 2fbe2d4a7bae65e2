import { badRequest } from './errors.ts';
import { ownMember } from './object.ts';
import type { StoredObject } from './object.ts';

export type Matcher = (object: StoredObject) => boolean;

/** One term of a label selector; a label that is absent also satisfies `!=` and `notin`, as in Kubernetes. */
function labelTerm(term: string): (labels: Record<string, string>) => boolean {
  const set = /^([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    const wanted = operator === 'in';
    return (labels) => {
      const value = ownMember(labels, key);
      return value === undefined ? !wanted : values.includes(value) === wanted;
    };
  }
  const equality = /^([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)$/.exec(term);
  if (equality !== null) {
    const [, key = '', operator, value = ''] = equality;
    return operator === '!=' ? (labels) => ownMember(labels, key) !== value : (labels) => ownMember(labels, key) === value;
  }
  const existence = /^(!?)\s*([^\s!=,()]+)$/.exec(term);
  if (existence !== null) {
    const [, not, key = ''] = existence;
    return (labels) => (ownMember(labels, key) === undefined) === (not === '!');
  }
  throw badRequest(`unable to parse requirement: found '${term}', expected: a label requirement such as key=value, key in (a,b) or !key`);
}

/** Splits at commas outside parentheses. */
function terms(selector: string): string[] {
  return selector.split(/,(?![^(]*\))/).map((term) => term.trim()).filter((term) => term !== '');
}

/** Equality and set form: `a=b,c!=d,e in (f,g),!h`. An empty selector matches all. Throws 400 when it cannot be read. */
export function parseLabelSelector(selector: string): Matcher {
  const tests = terms(selector).map(labelTerm);
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

/**
 * `metadata.name=a,type!=Normal`. `fieldsOf` gives an object's selectable fields; a label outside them throws 400,
 * because ignoring it would answer with more than was asked for.
 */
export function parseFieldSelector(
  selector: string,
  selectable: readonly string[],
  fieldsOf: (object: StoredObject) => Record<string, string>,
): Matcher {
  const tests = terms(selector).map((term) => {
    const parts = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
    if (parts === null) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
    const [, field = '', operator, value = ''] = parts;
    if (!selectable.includes(field)) throw badRequest(`field label not supported: ${field}`);
    return (fields: Record<string, string>) => ((fields[field] ?? '') === value) === (operator !== '!=');
  });
  return (object) => {
    const fields = fieldsOf(object);
    return tests.every((test) => test(fields));
  };
}
