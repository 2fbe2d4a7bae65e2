import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { transformFileSync } from '@swc/core';
import { bundleDir, healthyInput } from './examples.ts';

/** The image runs JavaScript, where the worker thread starts another way than from the sources the other tests run. */

test('compiled to JavaScript, the engine finds its worker, answers, and does not keep the process alive', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dataward-compiled-'));
  try {
    mkdirSync(join(dir, 'policy'));
    for (const name of readdirSync('src/policy').filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))) {
      const { code } = transformFileSync(join('src/policy', name), { swcrc: false, jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } });
      writeFileSync(join(dir, 'policy', name.replace(/\.ts$/, '.js')), code.replaceAll(/(from ['"]\.\/\w+)\.ts(['"])/g, '$1.js$2'));
    }
    symlinkSync(resolve('node_modules'), join(dir, 'node_modules'));
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(dir, 'main.js'),
      `import { createEngine } from './policy/engine.js';
       const engine = await createEngine({ bundleDir: process.argv[2] });
       const results = await engine.evaluate(JSON.parse(process.argv[3]));
       console.log(JSON.stringify(results.map(({ outcome }) => outcome)));`,
    );
    const printed = execFileSync(process.execPath, [join(dir, 'main.js'), resolve(bundleDir), JSON.stringify(healthyInput())], { encoding: 'utf8', timeout: 30_000, env: {} });
    expect(new Set(JSON.parse(printed) as string[])).toEqual(new Set(['Pass']));
  } finally {
    rmSync(dir, { recursive: true });
  }
});
