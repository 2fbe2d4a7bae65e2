import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { loadApi } from '../../../src/api/validation/load.ts';
import { OPERATOR_USER_NAME } from '../../../src/local/users.ts';
import { WIDGET_CRD } from '../../controlplane/widget-crd.ts';
import { kubectl } from '../../support/kubectl.ts';
import { startTestLocalServer } from '../../support/local-server.ts';
import type { TestLocalServer } from '../../support/local-server.ts';

const WIDGET = `
apiVersion: test.dataward.io/v1alpha1
kind: Widget
metadata: { name: one, namespace: shop, labels: { tier: a } }
spec: { size: 3, note: hello }
`;

describe('kubectl with nothing but the kubeconfig', () => {
  let server: TestLocalServer;
  let config: string;

  /** Runs kubectl and gives what it printed; a failure shows what it said. */
  async function run(line: string, input = ''): Promise<string> {
    const { stdout, stderr, code } = await kubectl(config, line.split(' '), input);
    if (code !== 0) throw new Error(`kubectl ${line}: exit ${code}: ${stderr}`);
    return stdout;
  }

  beforeAll(async () => {
    server = await startTestLocalServer([WIDGET_CRD]);
    config = await server.kubeconfigFile();
    await run('apply -f -', `apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n---${WIDGET}`);
  });
  afterAll(() => server.close());

  test('api-resources shows the kind with its short name', async () => {
    expect(await run('api-resources --api-group=test.dataward.io')).toMatch(/widgets +wid +test\.dataward\.io\/v1alpha1 +true +Widget/);
  });

  test('apply of a kind that is not served says that, and not that something else cannot be read', async () => {
    await expect(run('apply -f -', WIDGET.replace('kind: Widget', 'kind: Widgett'))).rejects.toThrow(/no matches for kind "Widgett" in version "test\.dataward\.io\/v1alpha1"/);
  });

  test('explain shows the schema, also of a built-in kind', async () => {
    expect(await run('explain widget.spec.size')).toContain('How large it is.');
    expect(await run('explain secret.metadata.finalizers')).toContain('Who must finish work before the object may go.');
  });

  test('get prints the columns of the CRD, more of them wide, and objects in every form', async () => {
    expect(await run('get wid -n shop')).toMatch(/NAME +READY +SIZE +AGE\none +3 +\d+s/);
    expect(await run('get testparts -A -o wide')).toMatch(/NAMESPACE +NAME +READY +SIZE +PARTS +AGE/);
    expect(await run('get wid one -n shop -o yaml')).toContain('colour: Red');
    expect(JSON.parse(await run('get wid -n shop -o json'))).toMatchObject({ kind: 'List', items: [{ kind: 'Widget' }] });
    expect(await run('get wid -n shop -o jsonpath={.items[*].spec.size}')).toBe('3');
    expect(await run('get wid -A --chunk-size=1 --no-headers -o name')).toBe('widget.test.dataward.io/one\n');
  });

  test('apply creates, says unchanged, and changes', async () => {
    const changed = WIDGET.replace('name: one', 'name: two');
    expect(await run('apply -f -', changed)).toContain('created');
    expect(await run('apply -f -', changed)).toContain('unchanged');
    expect(await run('apply -f -', changed.replace('size: 3', 'size: 4'))).toContain('configured');
    expect(await run('get wid two -n shop -o jsonpath={.spec.size}/{.metadata.generation}')).toBe('4/2');
  });

  test('apply takes keys out of a ConfigMap by strategic merge', async () => {
    const settings = (data: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: shop }\ndata: ${data}\n`;
    await run('apply -f -', settings('{a: "1", b: "2"}'));
    await run('apply -f -', settings('{b: "3"}'));
    expect(JSON.parse(await run('get cm settings -n shop -o jsonpath={.data}'))).toEqual({ b: '3' });
  });

  test('apply refuses an unknown field and a wrong value with the words of the API server', async () => {
    const unknown = await kubectl(config, ['apply', '-f', '-'], WIDGET.replace('size: 3', 'weight: 5, size: 3'));
    expect(unknown.stderr).toContain('unknown field "spec.weight"');
    const wrong = await kubectl(config, ['apply', '-f', '-'], WIDGET.replace('size: 3', 'size: 0'));
    expect(wrong.stderr).toMatch(/is invalid: spec\.size: Invalid value: 0/);
    const transition = await kubectl(config, ['apply', '-f', '-'], WIDGET.replace('size: 3', 'size: 3, colour: Green'));
    expect(transition.stderr).toContain('colour cannot be changed');
  });

  test('diff shows what an apply would change, and stores nothing', async () => {
    const { stdout, code } = await kubectl(config, ['diff', '-f', '-'], WIDGET.replace('hello', 'bye'));
    expect(code).toBe(1);
    expect(stdout).toMatch(/-\s+note: hello\n\+\s+note: bye/);
    expect(await run('get wid one -n shop -o jsonpath={.spec.note}')).toBe('hello');
  });

  test('patch, label and annotate', async () => {
    await run('patch wid one -n shop --type=merge -p {"spec":{"size":5}}');
    await run('patch wid one -n shop --type=json -p [{"op":"replace","path":"/spec/size","value":6}]');
    await run('label wid one -n shop role=x');
    await run('annotate wid one -n shop note=y');
    expect(await run('get wid -n shop -l role=x -L role')).toMatch(/one +6 +\d+s +x/);
    expect(await run('get wid one -n shop -o jsonpath={.metadata.annotations.note}')).toBe('y');
  });

  test('wait ends when the condition comes, and describe and events show the events', async () => {
    const waiting = run('wait wid/one -n shop --for=condition=Ready --timeout=20s');
    await run('patch wid one -n shop --subresource=status --type=merge -p {"status":{"conditions":[{"type":"Ready","status":"True"}]}}');
    expect(await waiting).toContain('condition met');
    const uid = await run('get wid one -n shop -o jsonpath={.metadata.uid}');
    await server.request('POST', '/apis/events.k8s.io/v1/namespaces/shop/events', {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'one.1', namespace: 'shop' },
      eventTime: new Date().toISOString().replace('Z', '000Z'),
      reportingController: 'dataward.io/test',
      reportingInstance: 'test-1',
      action: 'Look',
      reason: 'Looked',
      type: 'Normal',
      note: 'looked at it',
      regarding: { apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', name: 'one', namespace: 'shop', uid },
    });
    expect(await run('events -n shop --for widget/one')).toMatch(/Normal +Looked +Widget\/one +looked at it/);
    expect(await run('get events -n shop')).toMatch(/Normal +Looked +widget\/one +looked at it/);
    expect(await run('describe wid one -n shop')).toMatch(/Normal +Looked .*dataward\.io\/test +looked at it/);
  });

  test('get -w shows changes as they come', async () => {
    const child = spawn('kubectl', ['--kubeconfig', config, '--cache-dir', `${config}.cache`, 'get', 'wid', '-n', 'shop', '-w', '--output-watch-events'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const seen = (text: string): Promise<void> => new Promise((resolve) => {
      const look = (): void => {
        if (output.includes(text)) resolve();
        else child.stdout.once('data', () => setImmediate(look));
      };
      look();
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    try {
      await seen('ADDED');
      await run('apply -f -', WIDGET.replace('name: one', 'name: three'));
      await run('delete wid three -n shop');
      await seen('DELETED');
      expect(output).toMatch(/ADDED +three/);
    } finally {
      child.kill();
      await once(child, 'close');
    }
  });

  test('delete waits for a finalizer, and for the content of a namespace', async () => {
    await run('apply -f -', 'apiVersion: v1\nkind: Namespace\nmetadata: { name: gone }\n---' + WIDGET.replace('shop', 'gone').replace('labels:', 'finalizers: [test.dataward.io/hold], labels:'));
    await run('delete wid one -n gone --wait=false');
    expect(await run('get wid one -n gone -o jsonpath={.metadata.deletionTimestamp}')).toMatch(/Z$/);
    const waiting = run('delete ns gone --timeout=20s');
    await run('wait ns/gone --for=jsonpath={.status.phase}=Terminating --timeout=10s');
    const refused = await kubectl(config, ['apply', '-f', '-'], WIDGET.replace('shop', 'gone').replace('name: one', 'name: late'));
    expect(refused.stderr).toContain('because it is being terminated');
    await run('patch wid one -n gone --type=merge -p {"metadata":{"finalizers":null}}');
    expect(await waiting).toContain('deleted');
    expect((await kubectl(config, ['get', 'ns', 'gone'])).stderr).toContain('namespaces "gone" not found');
  });

  test('the CRD is shown as established', async () => {
    expect(await run('wait crd/widgets.test.dataward.io --for=condition=Established --timeout=5s')).toContain('condition met');
    expect((await kubectl(config, ['delete', 'crd', 'widgets.test.dataward.io'])).code).not.toBe(0);
  });

  test('server-side apply is refused with a clear word', async () => {
    const { stderr, code } = await kubectl(config, ['apply', '--server-side', '-f', '-'], WIDGET);
    expect(code).not.toBe(0);
    expect(stderr).toContain('Server-side apply not available on the server');
  });
});

describe('kubectl with the kinds and policies that are shipped', () => {
  const api = loadApi(fileURLToPath(new URL('../../../crds/', import.meta.url)));
  let server: TestLocalServer;
  let person: string;
  let operator: string;

  beforeAll(async () => {
    server = await startTestLocalServer(api.crds, api.admissionPolicies, { validator: api.validator });
    person = await server.kubeconfigFile();
    operator = await server.kubeconfigFile(OPERATOR_USER_NAME);
  });
  afterAll(() => server.close());

  test('every kind is listed under the category and explained', async () => {
    const { stdout } = await kubectl(person, ['api-resources', '--categories=dataward', '-o', 'name']);
    const names = stdout.trim().split('\n');
    expect(names).toHaveLength(api.crds.length);
    for (const name of names) {
      expect((await kubectl(person, ['explain', `${name}.spec`])).stdout).not.toContain('<empty>');
      expect((await kubectl(person, ['get', name, '-A'])).code).toBe(0);
    }
  });

  test('auth tells who one is and what one may', async () => {
    expect((await kubectl(person, ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])).stdout).toBe('local-admin');
    expect((await kubectl(operator, ['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])).stdout).toBe(OPERATOR_USER_NAME);
    const mayApprove = ['auth', 'can-i', 'approve', 'purgeruns.dataward.io', '-n', 'default'];
    expect((await kubectl(person, mayApprove)).stdout).toBe('yes\n');
    expect((await kubectl(operator, mayApprove)).stdout).toBe('no\n');
    expect((await kubectl(operator, ['auth', 'can-i', 'create', 'purgeruns.dataward.io'])).stdout).toBe('yes\n');
  });

  test('the operator cannot write a status as a person, nor a person as the operator', async () => {
    const store = `
apiVersion: dataward.io/v1alpha1
kind: DataStore
metadata: { name: analytics, namespace: default }
spec:
  engine: PostgreSQL
  endpoint: { host: db.example.com, port: 5432, database: analytics }
  credentials: { observe: { secretName: analytics-observe } }
  residency: { country: DE }
  owner: { team: web, contact: web@example.com }
`;
    const created = await kubectl(person, ['apply', '-f', '-'], store);
    expect(created).toEqual({ code: 0, stdout: 'datastore.dataward.io/analytics created\n', stderr: '' });
    const patch = ['patch', 'dst', 'analytics', '--subresource=status', '--type=merge', '-p', '{"status":{"observedGeneration":1}}'];
    const refused = await kubectl(person, patch);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('ValidatingAdmissionPolicy');
    expect((await kubectl(operator, patch)).code).toBe(0);
  });
});
