import type { Args, FactOutcome, Severity } from './catalogue.ts';

/** What the engine answers; `Error` is never the word of a control but of the engine about it. */
export type Outcome = FactOutcome | 'Error';

export interface Subject {
  namespace: string;
  store: string;
  collection?: string;
}

export interface Finding {
  outcome: Outcome;
  subject: Subject;
  /** From the reasonCodes of the control, or from the engine's own codes when the outcome is Error. */
  code: string;
  args: Args;
  /** For people. Holds counts and names of objects, never a value from the store. */
  message: string;
}

/** The answer of one control about one store. */
export interface ControlResult {
  control: string;
  title: string;
  severity: Severity;
  store: { namespace: string; name: string };
  /** The worst of its findings. */
  outcome: Outcome;
  /** At least one; sorted by outcome, worst first, then subject, code and args. */
  findings: Finding[];
  remediation: string;
  refs: Record<string, string[]>;
}

/** Worst first. A failure is certain, an error or a gap in knowledge is not, and each hides a pass. */
const worstFirst: readonly Outcome[] = ['Fail', 'Error', 'Unknown', 'Pass', 'NotApplicable'];

/** The worst of several outcomes; Unknown for none, because nothing said is nothing known. */
export function worstOutcome(outcomes: Iterable<Outcome>): Outcome {
  const seen = new Set(outcomes);
  return worstFirst.find((outcome) => seen.has(outcome)) ?? 'Unknown';
}

/** Total order of findings that does not depend on the order in which the policy emitted them. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const keyed = findings.map((finding) => ({ finding, key: sortKey(finding) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ finding }) => finding);
}

function sortKey(finding: Finding): string {
  const args = Object.entries(finding.args).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([worstFirst.indexOf(finding.outcome), finding.subject.collection ?? '', finding.code, args]);
}
