import { CronExpressionParser } from 'cron-parser';
import type { DataMap } from '../generated/dataMap.ts';
import type { DataStore } from '../generated/dataStore.ts';
import type { LegalHold } from '../generated/legalHold.ts';
import type { RetentionPolicy } from '../generated/retentionPolicy.ts';
import type { KubeObject } from '../object.ts';
import { dataMapFindings } from './data-map-findings.ts';
import type { SemanticFinding } from './semantic-finding.ts';
import { isRecord } from './structural.ts';

/**
 * Checks of one object that need more than its schema: zones and schedules that exist, years that can be meant,
 * references within a map. Pure, and meant for objects that passed the schema. A kind without such checks has no findings.
 */
export function semanticFindings(object: KubeObject): SemanticFinding[] {
  return [...calendarFindings(object), ...kindFindings(object)];
}

function kindFindings(object: KubeObject): SemanticFinding[] {
  switch (object.kind) {
    case 'RetentionPolicy': {
      const { purge } = (object as RetentionPolicy).spec;
      return purge === undefined ? [] : cronFindings(purge.schedule.cron, 'spec.purge.schedule.cron');
    }
    case 'DataStore':
      return cronFindings((object as DataStore).spec.observation.counts.schedule, 'spec.observation.counts.schedule');
    case 'DataMap':
      return dataMapFindings(object as DataMap);
    case 'LegalHold':
      return holdFindings(object as LegalHold);
    default:
      return [];
  }
}

/**
 * Why a zone cannot be used, or undefined. Only names of the IANA data base count: what `Intl` takes besides, an
 * offset such as `+02:00` or the host's own zone, would mean another time on another machine.
 */
export function zoneProblem(zone: string): string | undefined {
  const problem = `the time zone "${zone}" is not known; use an IANA name such as Europe/Paris`;
  if (zone !== 'UTC' && !/^[A-Z][\w+-]*(\/[\w+-]+)+$/.test(zone)) return problem;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return undefined;
  } catch {
    return problem;
  }
}

/** Why a schedule cannot be used, or undefined. The parser alone takes an empty text for every minute. */
export function cronProblem(cron: string): string | undefined {
  const fields = cron.split(' ');
  if (fields.length !== 5 || fields.includes('')) {
    return `the schedule "${cron}" does not have five fields: minute, hour, day, month, weekday, one blank between`;
  }
  try {
    CronExpressionParser.parse(cron, { currentDate: new Date(0), tz: 'UTC' }).next();
    return undefined;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `the schedule "${cron}" never comes or is not understood: ${cause}`;
  }
}

function cronFindings(cron: string, path: string): SemanticFinding[] {
  const message = cronProblem(cron);
  return message === undefined ? [] : [{ path, message }];
}

const DATE_FIELDS = new Set(['reviewAt', 'plausibleFrom', 'from', 'to']);

/** A year outside of this span is a slip of the pen: no record of a living person begins before, no review is due after. */
const FIRST_YEAR = 1900;
const LAST_YEAR = 2199;

function dateProblem(date: string): string | undefined {
  const year = /^(\d{4})-\d{2}-\d{2}$/.exec(date)?.[1];
  if (year === undefined || (Number(year) >= FIRST_YEAR && Number(year) <= LAST_YEAR)) return undefined;
  return `${date} lies outside of the years ${FIRST_YEAR} to ${LAST_YEAR}; correct the year`;
}

/** Zones and days below spec, wherever the kind has some. */
function calendarFindings(object: KubeObject): SemanticFinding[] {
  const problemOf = (name: string, value: string): string | undefined => {
    if (name === 'timeZone') return zoneProblem(value);
    return DATE_FIELDS.has(name) ? dateProblem(value) : undefined;
  };
  const walk = (value: unknown, path: string): SemanticFinding[] => {
    if (Array.isArray(value)) return value.flatMap((item, index) => walk(item, `${path}[${index}]`));
    if (!isRecord(value)) return [];
    return Object.entries(value).flatMap(([name, child]) => {
      const message = typeof child === 'string' ? problemOf(name, child) : undefined;
      return message === undefined ? walk(child, `${path}.${name}`) : [{ path: `${path}.${name}`, message }];
    });
  };
  return walk((object as KubeObject & { spec?: unknown }).spec, 'spec');
}

function holdFindings(hold: LegalHold): SemanticFinding[] {
  if (hold.spec.supersedes !== hold.metadata.name) return [];
  return [{ path: 'spec.supersedes', message: 'a hold cannot take its own place; name the earlier hold' }];
}
