import type { DriverReason } from '../../src/api/reasons.ts';
import type { CrdSource, Schema } from './crd.ts';

/** Writes the reference page of one kind: a table per nested object, then the rules that look at several fields. */
export function referenceOf(crd: CrdSource): string {
  const lines = [
    `<!-- Generated from crds/${crd.file} by \`npm run generate\`. Edit the YAML, not this file. -->`,
    '',
    `# ${crd.kind}`,
    '',
    crd.schema.description ?? '',
    '',
    `\`kubectl get ${crd.shortName}\` (\`${crd.plural}.dataward.io\`, version \`v1alpha1\`, namespaced) shows:`,
    '',
    '| Column | Meaning |',
    '|---|---|',
    ...crd.columns.map((column) => `| ${column.name.toUpperCase()} | ${cell(column.description ?? '')} |`),
    '',
    ...section('spec', crd.schema.properties.spec),
    ...section('status', crd.schema.properties.status),
    ...rules(crd.schema),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function section(path: string, schema: Schema): string[] {
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return [];
  const rows = fields.map(([name, field]) => {
    const needed = schema.required?.includes(name) === true ? 'yes' : '';
    const standard = field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``;
    return `| \`${name}\` | ${typeOf(field)} | ${needed} | ${standard} | ${cell(describe(field))} |`;
  });
  const head = [`## ${path}`, '', schema.description ?? '', ''];
  const table = ['| Field | Type | Required | Default | Meaning |', '|---|---|---|---|---|', ...rows, ''];
  const nested = fields.flatMap(([name, field]) => {
    if (name === 'conditions') return [];
    return field.items === undefined ? section(`${path}.${name}`, field) : section(`${path}.${name}[]`, field.items);
  });
  return [...head, ...table, ...nested];
}

function typeOf(field: Schema): string {
  if (field.items !== undefined) {
    const key = field['x-kubernetes-list-map-keys'];
    return `list of ${typeOf(field.items)}${key === undefined ? '' : `, one per ${key.join(' and ')}`}`;
  }
  if (field.additionalProperties !== undefined) return 'map of strings';
  return field.format === 'date' || field.format === 'date-time' ? field.format : (field.type ?? '');
}

function describe(field: Schema): string {
  const inner = field.items ?? field;
  const limits = [
    ...(inner.enum === undefined ? [] : [`One of ${inner.enum.map((word) => `\`${word}\``).join(', ')}.`]),
    ...(field.minimum !== undefined && field.maximum !== undefined ? [`${field.minimum} to ${field.maximum}.`] : []),
    ...(field.maxItems === undefined ? [] : [`At most ${field.maxItems}.`]),
  ];
  return [field.description ?? '', ...limits].join(' ');
}

function rules(schema: Schema): string[] {
  const found = [...new Set(collect(schema))];
  return found.length === 0 ? [] : ['## What is refused, and what to do', '', ...found.map((text) => `- ${text}.`)];
}

function collect(schema: Schema): string[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map((rule) => cell(rule.message ?? rule.rule));
  const nested = [schema.items, schema.additionalProperties, ...Object.values(schema.properties ?? {})];
  return [...own, ...nested.flatMap((child) => (child === undefined ? [] : collect(child)))];
}

/** A pipe would end the cell of a Markdown table, an asterisk would start emphasis. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('`\\*`', '`*`');
}

/** Writes the page that explains the words of conditions and events, and those of the drivers. */
export function reasonsPage(reasons: Readonly<Record<string, string>>, refusals: Readonly<Record<string, DriverReason>>, waits: Readonly<Record<string, DriverReason>>): string {
  const sorted = <T>(words: Readonly<Record<string, T>>): [string, T][] => Object.entries(words).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const table = (words: Readonly<Record<string, DriverReason>>): string[] => ['| Word | Meaning | Next step |', '|---|---|---|', ...sorted(words).map(([word, { meaning, next }]) => `| \`${word}\` | ${cell(meaning)} | ${cell(next)} |`), ''];
  return [
    '<!-- Generated from src/api/reasons.ts by `npm run generate`. Edit that file, not this one. -->',
    '',
    '# Reasons',
    '',
    'A condition, the event of the same cause and the metric label carry the same word.',
    '',
    '| Reason | Meaning |',
    '|---|---|',
    ...sorted(reasons).map(([word, meaning]) => `| \`${word}\` | ${cell(meaning)} |`),
    '',
    '## Why a plan is refused',
    '',
    'In brackets in `dataward plan`, and in the messages of a run that says `SideEffect`. Nothing of such a run is deleted.',
    '',
    ...table(refusals),
    '## What a running purge waits for',
    '',
    'In `status.progress.throttledBy` of a PurgeRun, while it says `Throttled`. Each was met between batches; nothing stays half done.',
    '',
    ...table(waits).slice(0, -1),
    '',
  ].join('\n');
}
