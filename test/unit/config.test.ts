import { describe, expect, test } from '@jest/globals';
import { ConfigError, operatorConfig, parseListen, type OperatorFlags } from '../../src/config.ts';

describe('whether entry points are asked', () => {
  test.each<[string, OperatorFlags, NodeJS.ProcessEnv, boolean]>([
    ['yes, where nobody says otherwise', {}, {}, true],
    ['not when the flag says so', { probeEntryPoints: false }, {}, false],
    ['not when the environment says so', {}, { DATAWARD_PROBE_ENTRY_POINTS: 'false' }, false],
    ['yes when the environment says anything else', {}, { DATAWARD_PROBE_ENTRY_POINTS: 'no' }, true],
  ])('%s', (_, flags, env, ask) => expect(operatorConfig(flags, env).entryPoints.ask).toBe(ask));

  test('on the loopback only outside of a pod, where it is the pod itself', () => {
    expect([operatorConfig({}, {}), operatorConfig({}, { KUBERNETES_SERVICE_HOST: '10.0.0.1' })].map(({ entryPoints }) => entryPoints.loopback)).toEqual([true, false]);
  });
});

describe('an address to listen at', () => {
  test.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['[::1]:0', { host: '::1', port: 0 }],
  ])('%s is one', (text, want) => expect(parseListen(text, '--listen')).toEqual(want));

  test.each(['8080', ':8080', 'host:', 'host:65536'])('%s is none', (text) => {
    expect(() => parseListen(text, '--listen')).toThrow(new ConfigError(`--listen ${text}: write host:port, for example 127.0.0.1:8080`));
  });
});

test('flags win over the environment, which wins over defaults', () => {
  const env = { POD_NAMESPACE: 'env', DATAWARD_LOG_LEVEL: 'debug', DATAWARD_FROZEN: 'true' };
  const told = ({ rootNamespace, logLevel, frozen }: ReturnType<typeof operatorConfig>): unknown[] => [rootNamespace, logLevel, frozen];
  expect(told(operatorConfig({}, {}))).toEqual(['dataward-system', 'info', false]);
  expect(told(operatorConfig({}, env))).toEqual(['env', 'debug', true]);
  expect(told(operatorConfig({ namespace: 'flag', logLevel: 'warn', frozen: false }, env))).toEqual(['flag', 'warn', false]);
});

test('a level of the log that does not exist is named, with those that do', () => {
  expect(() => operatorConfig({ logLevel: 'loud' }, {})).toThrow('--log-level loud: must be one of error, warn, info, debug');
});
