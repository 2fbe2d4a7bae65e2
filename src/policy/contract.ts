import type { Args, ArgValue, CatalogueControl, FactOutcome } from './catalogue.ts';
import { renderMessage } from './catalogue.ts';
import type { ControlResult, Finding, Subject } from './result.ts';
import { sortFindings, worstOutcome } from './result.ts';

/**
 * The border between compiled policies and everybody else. A control that answers oddly, late or not at all gets the
 * outcome Error: there is no way through this file on which silence becomes Pass.
 */

/** Why there is no answer from the policy, in the engine's own words. */
const engineCodes = {
  INPUT_INVALID: 'the facts handed to the policy engine do not fit its schema',
  INPUT_TOO_LARGE: 'the facts handed to the policy engine are too large',
  THREW: 'the control stopped with an error',
  TIMEOUT: 'the control did not answer in time',
  WORKER_DIED: 'the policy engine stopped while it evaluated the control',
  CLOSED: 'the policy engine is shutting down',
  NO_ANSWER: 'the control said nothing',
  BAD_SHAPE: 'the control answered in a shape that is not a fact',
  UNKNOWN_CODE: 'the control gave a reason its catalogue entry does not have',
  FOREIGN_SUBJECT: 'the control spoke about another store than the one asked about',
} as const;

export type EngineCode = keyof typeof engineCodes;

/** What came back for one entrypoint: the text of the result set, or why there is none. */
export type RawAnswer = { text: string } | { error: EngineCode; detail?: string };

export interface StoreRef {
  namespace: string;
  name: string;
}

const factOutcomes: readonly string[] = ['Pass', 'Fail', 'Unknown', 'NotApplicable'] satisfies FactOutcome[];

/** Turns a raw answer into the result of a control. Never throws. */
export function controlResult(control: CatalogueControl, store: StoreRef, answer: RawAnswer): ControlResult {
  const findings = 'error' in answer ? [errorFinding(store, answer.error, answer.detail)] : readAnswer(control, store, answer.text);
  return {
    control: control.id,
    title: control.title,
    severity: control.severity,
    store: { namespace: store.namespace, name: store.name },
    outcome: worstOutcome(findings.map((finding) => finding.outcome)),
    findings: sortFindings(findings),
    remediation: control.remediation,
    refs: control.refs,
  };
}

function errorFinding(store: StoreRef, code: EngineCode, detail?: string): Finding {
  const message = detail === undefined ? engineCodes[code] : `${engineCodes[code]}: ${detail}`;
  return { outcome: 'Error', subject: { namespace: store.namespace, store: store.name }, code, args: {}, message };
}

/** One odd fact spoils the whole answer: the facts beside it come from the same rule and may be wrong as well. */
function readAnswer(control: CatalogueControl, store: StoreRef, text: string): Finding[] {
  const facts = resultOf(text);
  if (facts === undefined || facts.length === 0) return [errorFinding(store, 'NO_ANSWER')];
  const findings: Finding[] = [];
  for (const fact of facts) {
    const finding = readFact(control, store, fact);
    if (typeof finding === 'string') return [errorFinding(store, finding)];
    findings.push(finding);
  }
  return findings;
}

function resultOf(text: string): unknown[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || parsed.length !== 1) return undefined;
  const first: unknown = parsed[0];
  if (!isRecord(first)) return undefined;
  return Array.isArray(first['result']) ? first['result'] : undefined;
}

function readFact(control: CatalogueControl, store: StoreRef, fact: unknown): Finding | EngineCode {
  if (!isRecord(fact) || !hasOnly(fact, ['outcome', 'subject', 'code', 'args'])) return 'BAD_SHAPE';
  const { outcome, code } = fact;
  if (typeof outcome !== 'string' || !factOutcomes.includes(outcome) || typeof code !== 'string') return 'BAD_SHAPE';
  const subject = readSubject(fact['subject']);
  const args = readArgs(fact['args']);
  if (subject === undefined || args === undefined) return 'BAD_SHAPE';
  if (subject.namespace !== store.namespace || subject.store !== store.name) return 'FOREIGN_SUBJECT';
  const reason = Object.hasOwn(control.reasonCodes, code) ? control.reasonCodes[code] : undefined;
  if (reason === undefined || reason.outcome !== outcome) return 'UNKNOWN_CODE';
  return { outcome: reason.outcome, subject, code, args, message: renderMessage(reason.message, args) };
}

function readSubject(subject: unknown): Subject | undefined {
  if (!isRecord(subject) || !hasOnly(subject, ['namespace', 'store', 'collection'])) return undefined;
  const { namespace, store, collection } = subject;
  if (typeof namespace !== 'string' || typeof store !== 'string') return undefined;
  if (collection === undefined) return { namespace, store };
  return typeof collection === 'string' ? { namespace, store, collection } : undefined;
}

function readArgs(args: unknown): Args | undefined {
  if (!isRecord(args)) return undefined;
  const entries: [string, ArgValue][] = [];
  for (const [name, value] of Object.entries(args)) {
    if (!isScalar(value) && !(Array.isArray(value) && value.every(isScalar))) return undefined;
    entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

function hasOnly(record: Record<string, unknown>, names: readonly string[]): boolean {
  return Object.keys(record).every((name) => names.includes(name));
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
