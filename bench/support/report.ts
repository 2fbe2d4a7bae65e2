import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Bounds the ratio where something is measured beside it in the same run, else the value itself. */
export type Goal = { readonly most: number } | { readonly least: number };

export interface Measurement {
  /** What was measured, in words. */
  readonly measure: string;
  /** Of the samples: `ms`, `MB`, `records/s` ... */
  readonly unit: string;
  /** One per round; at least one. */
  readonly samples: readonly number[];
  /** What it is compared with: as many samples, taken in turns with ours. */
  readonly beside?: { readonly what: string; readonly samples: readonly number[] };
  readonly goal?: Goal;
}

export interface Result extends Measurement {
  /** Median of the samples. */
  readonly value: number;
  /** Median of the ratios of the rounds, which a machine that is slow for a while disturbs less than a ratio of medians. */
  readonly ratio?: number;
  /** Absent without a goal. */
  readonly met?: boolean;
}

/** @throws RangeError when there is nothing to judge, or rounds that have no counterpart: a goal must not be met by accident */
export function judge(measurement: Measurement): Result {
  const { measure, samples, beside, goal } = measurement;
  if (samples.length === 0 || samples.some(Number.isNaN)) throw new RangeError(`${measure}: no samples, or one that is no number`);
  if (beside !== undefined && beside.samples.length !== samples.length) throw new RangeError(`${measure}: ${samples.length} samples beside ${beside.samples.length}`);
  const value = median(samples);
  const ratio = beside === undefined ? undefined : median(samples.map((sample, round) => sample / (beside.samples[round] ?? Number.NaN)));
  const judged = ratio ?? value;
  return {
    ...measurement,
    value,
    ...(ratio === undefined ? {} : { ratio }),
    ...(goal === undefined ? {} : { met: 'most' in goal ? judged <= goal.most : judged >= goal.least }),
  };
}

/** The middle one; of an even number the upper of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which that share of the values lies; NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The results as a Markdown table, aligned for a terminal. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.measure,
    `${figure(result.value)} ${result.unit}`,
    result.beside === undefined ? '' : `${result.beside.what}: ${figure(median(result.beside.samples))} ${result.unit}`,
    result.ratio === undefined ? '' : `${result.ratio.toFixed(2)} x`,
    goalText(result),
    result.met === undefined ? '' : result.met ? 'met' : 'NOT MET',
  ]);
  const lines = [['measured', 'value', 'beside', 'ratio', 'goal', ''], ...rows];
  const widths = (lines[0] ?? []).map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)));
  const draw = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [draw(lines[0] ?? []), draw(widths.map((width) => '-'.repeat(width))), ...rows.map(draw)].join('\n');
}

function goalText({ goal, ratio, unit }: Result): string {
  if (goal === undefined) return '';
  const bound = 'most' in goal ? `<= ${figure(goal.most)}` : `>= ${figure(goal.least)}`;
  return ratio === undefined ? `${bound} ${unit}` : `${bound} x`;
}

/** Three digits are more than a machine with other work gives. */
function figure(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}

/**
 * Prints the table and writes `bench/results/<bench>.json`, with what is needed to compare it with another run.
 * A missed goal is shown and fails nothing: a machine that was busy is no defect.
 */
export async function report(bench: string, measurements: readonly Measurement[], settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const results = measurements.map(judge);
  process.stdout.write(`\n${tableOf(results)}\n`);
  const folder = fileURLToPath(new URL('../results/', import.meta.url));
  await mkdir(folder, { recursive: true });
  const machine = { cpus: cpus().length, cpu: cpus()[0]?.model, memoryMegabytes: Math.round(totalmem() / 2 ** 20), load: loadavg(), node: process.version };
  await writeFile(`${folder}${bench}.json`, `${JSON.stringify({ bench, at: new Date().toISOString(), machine, settings, results }, null, 2)}\n`);
}
