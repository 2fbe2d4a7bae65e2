import { isJsonObject } from './object.ts';

type Step = (values: unknown[]) => unknown[];
/** Finds the values an expression points at; an absent field gives none. */
export type JsonPath = (object: unknown) => unknown[];

function child(name: string): Step {
  return (values) => values.flatMap((value) => (isJsonObject(value) && name in value ? [value[name]] : []));
}

const everyChild: Step = (values) =>
  values.flatMap((value) => (Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : []));

function element(index: number): Step {
  return (values) => values.flatMap((value) => (Array.isArray(value) && value.at(index) !== undefined ? [value.at(index)] : []));
}

function literal(text: string): unknown {
  const quoted = /^(['"])(.*)\1$/.exec(text);
  if (quoted !== null) return quoted[2];
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  if (text === '' || Number.isNaN(number)) throw new Error(`"${text}" is neither a quoted string, a number nor a boolean`);
  return number;
}

const COMPARE: Record<string, (left: unknown, right: unknown) => boolean> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => (left as number) < (right as number),
  '<=': (left, right) => (left as number) <= (right as number),
  '>': (left, right) => (left as number) > (right as number),
  '>=': (left, right) => (left as number) >= (right as number),
};

/** `?(@.type=="Ready")` keeps the elements that satisfy it; `?(@.name)` those that have the field. */
function filter(expression: string): Step {
  const parts = /^@(.*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+))?$/.exec(expression.trim());
  if (parts === null) throw new Error(`filter "${expression}" does not start with @`);
  const [, path = '', operator, right] = parts;
  const find = parseJsonPath(path);
  if (operator === undefined || right === undefined) {
    return (values) => everyChild(values).filter((value) => find(value).length > 0);
  }
  const wanted = literal(right.trim());
  const test = COMPARE[operator];
  return (values) => everyChild(values).filter((value) => find(value).some((found) => test?.(found, wanted)));
}

function bracket(content: string): Step {
  if (content === '*') return everyChild;
  if (/^-?\d+$/.test(content)) return element(Number(content));
  const name = /^(['"])(.*)\1$/.exec(content);
  if (name !== null) return child(name[2] ?? '');
  const condition = /^\?\((.*)\)$/.exec(content);
  if (condition !== null) return filter(condition[1] ?? '');
  throw new Error(`"[${content}]" is not an index, a name, * or a filter`);
}

/**
 * The part of Kubernetes' JSONPath that printer columns use: `.a.b`, `.a\.b`, `['a']`, `[0]`, `[*]`,
 * `[?(@.type=="Ready")]`. Throws, naming the expression, when it cannot be read.
 */
export function parseJsonPath(expression: string): JsonPath {
  const steps: Step[] = [];
  const token = /\.((?:[^.[\]\\]|\\.)+)|\[((?:\?\((?:"[^"]*"|'[^']*'|[^"')])*\)|"[^"]*"|'[^']*'|[^\]])*)\]/y;
  while (token.lastIndex < expression.length) {
    const at = token.lastIndex;
    const match = token.exec(expression);
    if (match === null) throw new Error(`JSONPath "${expression}" cannot be read from position ${at}`);
    const [, name, content] = match;
    if (name !== undefined) steps.push(name === '*' ? everyChild : child(name.replaceAll(/\\(.)/g, '$1')));
    else steps.push(bracket(content ?? ''));
  }
  return (object) => steps.reduce((values, step) => step(values), [object] as unknown[]);
}
