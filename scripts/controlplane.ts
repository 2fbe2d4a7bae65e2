/**
 * Builds the control plane, and the linter of metrics, for the tests ahead of time and prints where it is, one path a line.
 * The same happens by itself when a suite needs it; done here, its minutes do not count as a slow test.
 */
import { controlPlaneBinaries } from '../test/support/controlplane-binaries.ts';
import { promlint } from '../test/support/promlint.ts';

await promlint();
const binaries = await controlPlaneBinaries();
if (binaries === undefined) process.exitCode = 1;
else for (const path of Object.values(binaries)) if (path !== undefined) process.stdout.write(`${path}\n`);
