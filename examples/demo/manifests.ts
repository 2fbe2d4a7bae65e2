import { readFile, readdir } from 'node:fs/promises';

/** What differs from one store to the next. */
export interface ManifestValues {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly serverName: string;
  readonly caPem: string;
  readonly observeUser: string;
  readonly observePassword: string;
  readonly enforceUser: string;
  readonly enforcePassword: string;
  readonly verifyUser: string;
  readonly verifyPassword: string;
  /** ISO dates. The hold covers [holdFrom, holdTo). */
  readonly holdFrom: string;
  readonly holdTo: string;
  readonly holdReviewAt: string;
}

/** Dates for the hold that reach rows the 25-month policy would delete: 30 to 28 months ago; reviewed in two. */
export function holdDates(now: Date): Pick<ManifestValues, 'holdFrom' | 'holdTo' | 'holdReviewAt'> {
  const monthsFromNow = (months: number): string =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 1)).toISOString().slice(0, 10);
  return { holdFrom: monthsFromNow(-30), holdTo: monthsFromNow(-28), holdReviewAt: monthsFromNow(2) };
}

/**
 * The manifests in the folder above as YAML by file name, namespaces first because the rest lives in them.
 *
 * @throws when a manifest has a placeholder that `values` does not know
 */
export async function demoManifests(values: ManifestValues): Promise<Map<string, string>> {
  const folder = new URL('..', import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  names.sort((a, b) => Number(b === 'namespaces.yaml') - Number(a === 'namespaces.yaml') || a.localeCompare(b));
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
  return new Map(names.map((name, at) => [name, fill(name, texts[at] ?? '', values)]));
}

/**
 * Replaces the value of each line that ends with the comment `# ${name}`, so that the files are valid as they are. Values go in
 * as JSON, which is YAML too: a password with a colon or a certificate of many lines stays one value.
 */
function fill(name: string, text: string, values: ManifestValues): string {
  const known = new Map<string, string | number>(Object.entries(values));
  return text.replaceAll(/^( *[\w./-]+: ).*# \$\{(\w+)\}/gm, (_, field: string, key: string) => {
    const value = known.get(key);
    if (value === undefined) throw new Error(`examples/${name}: no value for the placeholder \${${key}}`);
    return `${field}${JSON.stringify(value)} #`;
  });
}
