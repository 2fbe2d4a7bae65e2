import pc from 'picocolors';
import { stringify } from 'yaml';
import type { CliContext, Output } from './context.ts';

/** Results go to stdout, notes to stderr: a pipe gets the result and nothing else. */
export function printResult(context: CliContext, output: Output, value: unknown, table: () => string): void {
  const text = output === 'json' ? `${JSON.stringify(value, null, 2)}\n` : output === 'yaml' ? stringify(value) : table();
  context.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
}

export function note(context: CliContext, text: string): void {
  context.stderr.write(`${text}\n`);
}

/** Columns as kubectl prints them: upper-case heads, three spaces between, no lines. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number | boolean | undefined)[])[]): string {
  const cells = [heads.map((head) => head.toUpperCase()), ...rows.map((row) => row.map((cell) => (cell === undefined || cell === '' ? '<none>' : String(cell))))];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return `${cells.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('   ')).join('\n')}\n`;
}

export function colours(context: CliContext): ReturnType<typeof pc.createColors> {
  return pc.createColors(context.colour && context.env['NO_COLOR'] === undefined);
}

/** 1234567 -> 1,234,567. */
export function count(value: number | undefined): string {
  return value === undefined ? 'unknown' : value.toLocaleString('en-US');
}

/** `1 object`, `1,234 objects`. */
export function counted(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`;
}
