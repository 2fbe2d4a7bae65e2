import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { OWN_KINDS } from '../../src/api/kinds.ts';
import { REASONS } from '../../src/api/reasons.ts';
import { EXIT, type CliContext } from '../../src/cli/context.ts';
import { createProgram } from '../../src/cli/program.ts';
import { cutoff, ROUND_UP, type RoundUp } from '../../src/rules/cutoff.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

/** Pages name commands, files, metrics and dates. Those that no longer exist mislead whoever is in a hurry. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OUTSIDE = new Set(['node_modules', 'dist', '.git', 'coverage']);
const pages = markdown('').toSorted();
const textOf = new Map(pages.map((page) => [page, readFileSync(join(ROOT, page), 'utf8')]));

function markdown(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (OUTSIDE.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdown(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** As GitHub makes them: lower case, spaces to hyphens, other signs dropped. */
function anchors(page: string): string[] {
  const headings = (textOf.get(page) ?? '').replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, title]) => (title ?? '').toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));
}

function deadLinks(page: string): string[] {
  const links = [...(textOf.get(page) ?? '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '');
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = '', fragment] = link.split('#');
    const target = file === '' ? page : join(dirname(page), file);
    if (!existsSync(join(ROOT, target))) return true;
    if (fragment === undefined) return false;
    return statSync(join(ROOT, target)).isDirectory() || !anchors(target).includes(fragment);
  });
}

/** Words after `word` wherever a page shows code: spans, and lines of indented or fenced blocks. */
function shown(page: string, word: string): string[] {
  const text = textOf.get(page) ?? '';
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  const lines = text.split('\n').filter((line) => /^ {4}/.test(line)).map((line) => line.trim().replace(/^\$ /, ''));
  return [...spans, ...lines].flatMap((code) => (code.startsWith(`${word} `) ? [code.slice(word.length + 1)] : []));
}

describe('every relative link leads to a file, and to a heading where it names one', () => {
  test.each(pages)('%s', (page) => {
    expect(deadLinks(page)).toEqual([]);
  });

  test('a link to nowhere is found', () => {
    textOf.set('README.md#broken', '[a](docs/none.md) [b](README.md#nothing-of-that-name) [c](https://example.com/x)');
    expect(deadLinks('README.md#broken')).toEqual(['docs/none.md', 'README.md#nothing-of-that-name']);
    textOf.delete('README.md#broken');
  });
});

test('every make target a page names is in the Makefile', () => {
  const targets = [...readFileSync(join(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z][a-z-]*):/gm)].map(([, name]) => name);
  const named = pages.flatMap((page) => shown(page, 'make').map((rest) => /^[a-z-]+/.exec(rest)?.[0] ?? rest));
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((name) => !targets.includes(name))).toEqual([]);
});

describe('the command line', () => {
  const program = createProgram({} as CliContext, () => {});

  /** `dataward 0.1.0 ...` is what a command printed. */
  const isOutput = (text: string): boolean => /^\d/.test(text);

  /** The command that words lead to, and the words that are left; undefined when the first word is none. */
  function find(words: readonly string[]): { command: Command; rest: readonly string[] } | undefined {
    let command: Command | undefined;
    let at = 0;
    for (let within: Command | undefined = program; within !== undefined && at < words.length; at += 1) {
      within = within.commands.find((candidate) => candidate.name() === words[at]);
      if (within === undefined) break;
      command = within;
    }
    return command && { command, rest: words.slice(at) };
  }

  const examples = pages.flatMap((page) => ['dataward', 'node dist/main.js'].flatMap((name) => shown(page, name).map((text) => ({ page, text })))).filter(({ text }) => !isOutput(text));

  test('every command and flag a page shows exists', () => {
    expect(examples.length).toBeGreaterThan(20);
    const wrong = examples.filter(({ text }) => {
      const words = text.replaceAll(/"[^"]*"/g, 'TEXT').replace(/ {2,}.*$/, '').replace(/,.*$/, '').split(' ');
      const found = find(words);
      // A command with commands of its own does nothing by itself.
      if (!found || found.command.commands.length > 0) return true;
      const flags = found.rest.filter((word) => /^--?[a-zA-Z]/.test(word)).map((word) => word.split('=')[0]);
      return flags.some((flag) => !found.command.options.some((option) => option.long === flag || option.short === flag));
    });
    expect(wrong).toEqual([]);
  });

  test('docs/cli.md has every command', () => {
    const leaves = (command: Command, path: string): string[] => (command.commands.length === 0 ? [path] : command.commands.flatMap((each) => leaves(each, `${path} ${each.name()}`)));
    const page = textOf.get('docs/cli.md') ?? '';
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title).join(', ');
    expect(leaves(program, 'dataward').filter((path) => !headings.includes(path))).toEqual([]);
  });

  test('docs/cli.md and README.md have the exit codes', () => {
    for (const page of ['docs/cli.md', 'README.md']) {
      const codes = [...(textOf.get(page) ?? '').matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
      expect(codes).toEqual(Object.values(EXIT));
    }
  });
});

test('docs/operations.md names every metric of ours, and no other', async () => {
  const { registry } = createMetrics({ version: 'x', commit: 'x' });
  const declared = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  const page = textOf.get('docs/operations.md') ?? '';
  const named = [...new Set([...page.matchAll(/\b(?:dataward|controller_runtime|workqueue|rest_client|leader_election|reflector)_[a-z_]+\b/g)].map(([name]) => name))].filter((name) => !['dataward_observe', 'dataward_enforce', 'dataward_verify'].includes(name));
  expect(named.filter((name) => !declared.includes(name))).toEqual([]);
  expect(declared.filter((name) => name.startsWith('dataward_') && !named.includes(name))).toEqual([]);
});

/** Words in code in the columns headed `reason`, of all tables of a page. */
function reasonsOf(page: string): string[] {
  const tables = (textOf.get(page) ?? '').matchAll(/(?:^\|.*\|\n)+/gm);
  return [...tables].flatMap(([table]) => {
    const [head = [], , ...rows] = table.trim().split('\n').map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
    const column = head.indexOf('reason');
    return column < 0 ? [] : rows.flatMap((row) => [...(row[column] ?? '').matchAll(/`([A-Z][A-Za-z]+)`/g)].map(([, word]) => word ?? ''));
  });
}

test('every reason a page explains is one a condition can carry', () => {
  const explained = ['docs/architecture.md', 'docs/concepts.md', 'docs/operations.md'].map((page) => reasonsOf(page));
  for (const words of explained) expect(words.length).toBeGreaterThan(3);
  expect(explained.flat().filter((word) => !(word in REASONS))).toEqual([]);
});

test('README.md lists the kinds there are', () => {
  const listed = [...(textOf.get('README.md') ?? '').matchAll(/^\| \[(\w+)\]\(docs\/reference\/\w+\.md\) \|/gm)].map(([, kind]) => kind);
  expect(listed.toSorted()).toEqual(OWN_KINDS.map(({ kind }) => kind).toSorted());
});

describe('the cutoffs in docs/concepts.md are those of the code', () => {
  const rows = [...(textOf.get('docs/concepts.md') ?? '').matchAll(/^\| (\d{4}-\S+Z) \| (\S+) \| (P\w+) \| (\w+) \| (\d{4}-\d\d-\d\d) \|$/gm)].map(([, ...cells]) => cells as [string, string, string, string, string]);

  test('the table is there', () => {
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.filter(([, , , roundUp]) => !(ROUND_UP as readonly string[]).includes(roundUp))).toEqual([]);
  });

  test.each(rows)('at %s in %s, %s rounded to %s ends before %s', (now, zone, period, roundUp, expected) => {
    expect(cutoff(now, period, zone, roundUp as RoundUp).localDate).toBe(expected);
  });
});
