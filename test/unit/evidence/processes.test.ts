import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isAlive, startOf } from '../../../src/evidence/processes.ts';

describe('a process', () => {
  test('that runs is alive and began at one time; another began at another', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const pid = child.pid as number;
    expect(isAlive(pid)).toBe(true);
    expect(startOf(pid)).toMatch(/^\d+$|^unknown$/);
    expect(startOf(pid)).toBe(startOf(pid));
    if (startOf(pid) !== 'unknown') expect(startOf(pid)).not.toBe(startOf(process.pid));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect({ alive: isAlive(pid), began: startOf(pid) }).toEqual({ alive: false, began: undefined });
  });

  test('of another user is alive all the same', () => {
    expect(isAlive(1)).toBe(true);
  });

  test.each([0, -1, 1.5, NaN])('%d is no process: to the system it would mean a group of them', (pid) => {
    expect({ alive: isAlive(pid), began: startOf(pid) }).toEqual({ alive: false, began: undefined });
  });
});
