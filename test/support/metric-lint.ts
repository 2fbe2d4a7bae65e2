import type { Registry } from 'prom-client';

/** What `promtool check metrics` would say about a metric, in one line. */
export interface LintFinding {
  readonly metric: string;
  readonly problem: string;
}

/** One metric as its HELP, TYPE and sample lines tell of it. */
export interface ExposedMetric {
  readonly name: string;
  readonly help: string | undefined;
  readonly type: string | undefined;
  readonly labels: readonly string[];
}

const NOT_BASE_UNITS: Readonly<Record<string, readonly string[]>> = {
  seconds: ['milliseconds', 'microseconds', 'nanoseconds', 'minutes', 'hours', 'days', 'weeks', 'millis'],
  bytes: ['kilobytes', 'megabytes', 'gigabytes', 'terabytes', 'kibibytes', 'mebibytes', 'gibibytes', 'bits'],
  ratio: ['percent', 'percentage'],
  celsius: ['fahrenheit', 'kelvin'],
  meters: ['kilometers', 'millimeters', 'miles', 'feet'],
  grams: ['kilograms', 'pounds'],
};
const ABBREVIATIONS = ['s', 'ms', 'us', 'ns', 'sec', 'secs', 'b', 'kb', 'mb', 'gb', 'tb', 'pb', 'm', 'h', 'd'];
const TYPES = ['counter', 'gauge', 'histogram', 'summary'];
const RESERVED = ['_bucket', '_count', '_sum'];
const CAMEL = /[a-z][A-Z]/;

/**
 * The rules of promtool, which is a program nobody needs to build for this: help and type there, base units, `_total`
 * for counters and nothing else, suffixes and labels of histograms left to histograms, no type in a name, no camelCase.
 */
export function lintMetric({ name, help, type, labels }: ExposedMetric): LintFinding[] {
  const words = name.split('_');
  const unit = Object.entries(NOT_BASE_UNITS).find(([, others]) => others.some((other) => words.includes(other)))?.[0];
  const abbreviated = words.find((word) => ABBREVIATIONS.includes(word));
  const typeWord = words.find((word) => TYPES.includes(word));
  const problems = [
    help === undefined || help === '' ? 'no help text' : undefined,
    type === undefined || !TYPES.includes(type) ? 'no type, or one that says nothing' : undefined,
    unit === undefined ? undefined : `use the base unit ${unit}`,
    abbreviated === undefined ? undefined : `write the unit ${abbreviated} out`,
    type === 'counter' && !name.endsWith('_total') ? 'counters end in _total' : undefined,
    type !== 'counter' && name.endsWith('_total') ? 'only counters end in _total' : undefined,
    ...RESERVED.map((suffix) => (name.endsWith(suffix) ? `${suffix} belongs to histograms and summaries` : undefined)),
    labels.includes('le') && type !== 'histogram' ? 'the label le belongs to histograms' : undefined,
    labels.includes('quantile') && type !== 'summary' ? 'the label quantile belongs to summaries' : undefined,
    typeWord === undefined ? undefined : `the name says the type ${typeWord}`,
    name.includes(':') ? 'colons are for recording rules' : undefined,
    CAMEL.test(name) ? 'the name is in camelCase' : undefined,
    ...labels.map((label) => (CAMEL.test(label) ? `the label ${label} is in camelCase` : undefined)),
  ];
  return problems.flatMap((problem) => (problem === undefined ? [] : [{ metric: name, problem }]));
}

/** Reads the text format. Throws for a line that is none of it, for samples without HELP and TYPE before them, and for a metric told twice. */
export function parseExposition(text: string): ExposedMetric[] {
  const metrics = new Map<string, { name: string; help?: string; type?: string; labels: Set<string> }>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment) {
      const [, what, name = '', value = ''] = comment;
      const member = what === 'HELP' ? 'help' : 'type';
      const metric = metrics.get(name) ?? { name, labels: new Set<string>() };
      if (metric[member] !== undefined) throw new Error(`${name}: told twice`);
      metrics.set(name, { ...metric, [member]: value });
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!sample) throw new Error(`not a line of the text format: ${line}`);
    const [, sampled = '', labels = '', value = ''] = sample;
    if (Number.isNaN(Number(value)) && !['NaN', 'Nan', '+Inf', '-Inf'].includes(value)) throw new Error(`not a value: ${line}`);
    const metric = metrics.get(sampled) ?? metrics.get(sampled.replace(/_(bucket|count|sum)$/, ''));
    if (metric === undefined) throw new Error(`${sampled}: a sample without HELP and TYPE`);
    for (const [, label = ''] of labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"/g)) if (label !== 'le' || metric.type !== 'histogram') metric.labels.add(label);
  }
  return [...metrics.values()].map(({ name, help, type, labels }) => ({ name, help, type, labels: [...labels] }));
}

/** Every metric of a registry, with the labels it declares whether it has samples or not. */
export async function exposed(registry: Registry): Promise<ExposedMetric[]> {
  const told = parseExposition(await registry.metrics());
  return told.map((metric) => {
    const declared = registry.getSingleMetric(metric.name) as unknown as { labelNames: readonly string[] } | undefined;
    return { ...metric, labels: [...new Set([...metric.labels, ...(declared?.labelNames ?? [])])] };
  });
}
