/** What is known about the controls of a bundle beside their rules, and the words made from it. */

export type FactOutcome = 'Pass' | 'Fail' | 'Unknown' | 'NotApplicable';
export type Severity = 'critical' | 'high' | 'medium' | 'low';

export interface ReasonCode {
  outcome: FactOutcome;
  /** Template: `{arg}`, `{arg:time}` for seconds since 1970, `{arg:duration}` for seconds. */
  message: string;
}

export interface CatalogueControl {
  id: string;
  /** Path of the rule inside the Wasm. */
  entrypoint: string;
  title: string;
  description: string;
  severity: Severity;
  /** Fact groups it reads, so that a caller knows what to observe. */
  facts: string[];
  /** Names of its parameters, all in `Catalogue.parameters`. */
  parameters: string[];
  reasonCodes: Record<string, ReasonCode>;
  /** Clauses by source: gdpr, iso27001, soc2, nist80053. */
  refs: Record<string, string[]>;
  remediation: string;
}

export interface CatalogueParameter {
  description: string;
  /** JSON Schema of the value as a person writes it; `format: duration` means ISO 8601 weeks, days and hours. */
  schema: Record<string, unknown>;
  default: string | number;
  /** Which of two values asks for more; of an enum, whether the later or the earlier one does. */
  tighter: 'Higher' | 'Lower';
}

export interface Clause {
  id: string;
  title: string;
  controls: string[];
  /** Controls this clause needs for which nothing is observed yet. */
  noFactSource: string[];
}

export interface Framework {
  id: string;
  title: string;
  clauses: Clause[];
}

export interface Catalogue {
  /** Version of the compiler. */
  opa: string;
  controls: CatalogueControl[];
  parameters: Record<string, CatalogueParameter>;
  frameworks: Framework[];
  /** JSON Schema that every input is checked against before evaluation. */
  inputSchema: Record<string, unknown>;
}

export type ArgValue = string | number | boolean | readonly (string | number | boolean)[];
export type Args = Readonly<Record<string, ArgValue>>;

const second = 1000;
const units = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const;

/** Fills a message template. An arg that is not there reads "unknown", never as an empty place. */
export function renderMessage(template: string, args: Args): string {
  return template.replace(/\{(\w+)(?::(time|duration))?\}/g, (_, name: string, form: string | undefined) => {
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (value === undefined) return 'unknown';
    if (typeof value === 'object') return value.join(', ');
    if (form === 'time' && typeof value === 'number') return renderTime(value);
    if (form === 'duration' && typeof value === 'number') return renderDuration(value);
    return String(value);
  });
}

function renderTime(seconds: number): string {
  const at = new Date(seconds * second);
  return Number.isNaN(at.getTime()) ? 'unknown' : at.toISOString().replace('.000Z', 'Z');
}

/** In the largest unit that leaves no rest, so that P21D reads "21 days" and PT36H "36 hours". */
function renderDuration(seconds: number): string {
  const [size, unit] = units.find(([size]) => seconds % size === 0 && seconds >= size) ?? ([1, 'second'] as const);
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
