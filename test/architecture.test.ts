import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';

interface Import {
  from: string;
  /** File under src, or the name of a package. */
  to: string;
  typeOnly: boolean;
  /** Loaded when it is needed, not with the file. */
  later: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts')).toSorted();
const sources = new Map(files.map((file) => [file, readFileSync(path.join('src', file), 'utf8')]));
/** Comments and texts may name what code must not. */
const codeOf = (file: string): string => (sources.get(file) ?? '').replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '').replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''").replaceAll(/`(?:[^`\\$]|\\.|\$(?!\{))*`/g, '``');
const imports = files.flatMap((file) => importsOf(file));

function importsOf(file: string): Import[] {
  const statement = /^(?:import|export)\s+(type\s)?([^'";]*?)from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;
  return [...(sources.get(file) ?? '').matchAll(statement)].map(([, type, names = '', named, bare, dynamic]) => {
    const target = named ?? bare ?? dynamic ?? '';
    const inBraces = /^\{(.*)\}\s*$/s.exec(names.trim())?.[1]?.split(',').map((name) => name.trim()).filter((name) => name !== '');
    return {
      from: file,
      to: target.startsWith('.') ? path.join(path.dirname(file), target) : target,
      typeOnly: type !== undefined || (inBraces !== undefined && inBraces.length > 0 && inBraces.every((name) => name.startsWith('type '))),
      later: dynamic !== undefined,
    };
  });
}

const ours = imports.filter((each) => sources.has(each.to));
const folder = (file: string): string => (file.includes('/') ? (file.split('/')[0] as string) : '');
const within = (file: string, ...places: string[]): boolean => places.some((place) => file === place || file.startsWith(place.endsWith('.ts') ? place : `${place}/`));
const told = (found: readonly Import[]): string[] => found.map((each) => `${each.from} imports ${each.to}`);

const CAPABILITIES = ['datastore', 'datamap', 'retention', 'holds', 'compliance', 'entrypoints'];
const PORT = ['stores/port.ts', 'stores/facts.ts', 'stores/counting.ts', 'stores/purging.ts', 'stores/journal.ts', 'stores/fence.ts', 'stores/predicate.ts', 'stores/errors.ts', 'stores/canonical.ts', 'stores/condition.ts', 'stores/pinned.ts', 'stores/time-types.ts'];
const BELOW_CAPABILITIES = ['rules', 'connect', 'api', ...PORT, 'policy', 'evidence', 'runtime', 'telemetry'];

/** What a folder may import besides itself. `main.ts` may import everything. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  api: [],
  stores: ['api'],
  policy: ['api'],
  evidence: ['api'],
  telemetry: [],
  runtime: ['telemetry', 'api/conditions.ts', 'api/object.ts'],
  rules: ['api', ...PORT],
  connect: ['runtime', 'rules', 'api', ...PORT, 'evidence/audit/checkpoint.ts', 'evidence/audit/log.ts'],
  ...Object.fromEntries(CAPABILITIES.map((name) => [name, BELOW_CAPABILITIES])),
  local: ['api', 'runtime', 'evidence/folder-lock.ts'],
};

describe('imports', () => {
  test('are found: a test of nothing would always pass', () => {
    expect(ours.length).toBeGreaterThan(400);
    expect(told(ours)).toContain('rules/ruleset.ts imports rules/cutoff.ts');
    expect(imports.filter((each) => each.to.startsWith('..')).map((each) => each.to)).toEqual([]);
    expect(imports.filter((each) => each.to.endsWith('.ts') && !each.to.endsWith('.d.ts') && !sources.has(each.to)).map((each) => each.to)).toEqual([]);
  });

  test.each(Object.entries(ALLOWED))('of %s lead only downward', (name, allowed) => {
    const wrong = ours.filter((each) => folder(each.from) === name && folder(each.to) !== name && !within(each.to, ...allowed));
    expect(told(wrong)).toEqual([]);
  });

  test('of main, the operator and the command line are the only ones from above', () => {
    expect(told(ours.filter((each) => within(each.to, 'main.ts')))).toEqual([]);
    expect(told(ours.filter((each) => within(each.to, 'cli') && !within(each.from, 'cli', 'main.ts')))).toEqual([]);
    expect(told(ours.filter((each) => within(each.to, 'operator') && !within(each.from, 'operator', 'cli', 'main.ts')))).toEqual([]);
  });

  test('never go in a circle, not even for types', () => {
    const edges = new Map(files.map((file) => [file, ours.filter((each) => each.from === file).map((each) => each.to)]));
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, trail: readonly string[]): void => {
      if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
      else if (!done.has(file)) {
        for (const next of edges.get(file) ?? []) visit(next, [...trail, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });
});

describe('the operator in a pod', () => {
  /** What is in memory once these files are loaded: packages by name, our files by path. */
  const loadedWith = (...entries: string[]): string[] => {
    const loaded = new Set(entries);
    for (const file of loaded) for (const each of imports) if (each.from === file && !each.typeOnly && !each.later) loaded.add(each.to);
    return [...loaded];
  };
  const loaded = loadedWith('main.ts', 'cli/operator.ts');

  test('loads its controllers, drivers and clients', () => {
    expect(loaded).toEqual(expect.arrayContaining(['operator/controllers.ts', 'stores/postgres/batch.ts', 'runtime/watch.ts', 'pg', 'prom-client', 'temporal-polyfill']));
  });

  // Together these took 90 MB of 200. The first alone has the types of every kind of Kubernetes in it.
  test.each(['@kubernetes/client-node', '@marcbachmann/cel-js', '@peculiar/x509', 'yaml', 'rfc6902', 'local/server.ts', 'api/validation/load.ts'])('does not load %s, which other commands need', (name) => {
    expect(imports.map((each) => each.to)).toContain(name);
    expect(loaded).not.toContain(name);
  });
});

const PURE = files.filter((file) => within(file, 'rules', 'policy/score.ts', 'policy/horizon.ts', 'policy/parameters.ts', 'compliance/facts.ts', 'compliance/purges.ts', 'entrypoints/answer.ts', 'entrypoints/project.ts') || /^(?:\w+\/)+(?:plan|status|sql)\.ts$/.test(file)).filter((file) => !within(file, 'runtime', 'cli', 'local'));
/** Hashing, calendars, cron lines and schemas are libraries of pure functions. */
const PURE_PACKAGES = ['node:crypto', 'node:util', 'temporal-polyfill', 'cron-parser', 'ajv'];

describe('pure files', () => {
  test('are there', () => {
    expect(PURE).toEqual(expect.arrayContaining(['rules/cutoff.ts', 'retention/plan.ts', 'retention/run/plan.ts', 'datastore/status.ts', 'stores/postgres/sql.ts', 'policy/score.ts']));
  });

  test('import no client, driver, file system, clock or logger', () => {
    const effects = ['runtime/client.ts', 'runtime/clock.ts', 'runtime/requester.ts', 'runtime/transport.ts', 'telemetry/logger.ts', 'stores/postgres/connection.ts', 'stores/postgres/driver.ts'];
    const wrong = imports.filter((each) => PURE.includes(each.from) && !each.typeOnly && (sources.has(each.to) ? within(each.to, ...effects) : !PURE_PACKAGES.includes(each.to)));
    expect(told(wrong)).toEqual([]);
  });

  test('ask no clock, no chance, no environment and set no timer', () => {
    const asks = /\b(?:Date\.now|new Date\(\)|Math\.random|randomUUID|randomBytes|setTimeout|setInterval|setImmediate|performance\.|process\.|console\.|Temporal\.Now)/;
    expect(PURE.filter((file) => asks.test(codeOf(file)))).toEqual([]);
  });
});

describe('code', () => {
  const own = files.filter((file) => !within(file, 'api/generated'));
  const offences: [string, RegExp][] = [
    ['says any', /[:<,(|]\s*any\b|\bas any\b|\bany\[\]/],
    ['has an enum', /\benum\s+\w+\s*\{/],
    ['has a namespace', /^(?:export\s+)?(?:declare\s+)?namespace\s/m],
    ['keeps state in a module', /^(?:export\s+)?let\s/m],
    // What is ordered may be hashed, and the order would be another one on a machine of another language.
    ['orders by the locale of the process', /\.localeCompare\(/],
  ];
  test.each(offences)('nowhere %s', (_, offence) => {
    expect(own.filter((file) => offence.test(codeOf(file)))).toEqual([]);
  });

  test('nowhere silences the compiler', () => {
    expect(own.filter((file) => /@ts-(?:ignore|expect-error|nocheck)/.test(sources.get(file) ?? ''))).toEqual([]);
  });

  test('has no barrel', () => {
    expect(files.filter((file) => path.basename(file) === 'index.ts')).toEqual([]);
  });

  test('imports with the ending of the file', () => {
    expect(told(imports.filter((each) => each.to.includes('/') && !each.to.startsWith('@') && !each.to.includes(':') && files.some((file) => file === `${each.to}.ts`)))).toEqual([]);
  });
});
