import t from 'tap';
import {
  engineObstacle,
  startEngine,
  startFabric,
  startLabEtcd,
} from '../fixtures/docker-engine.js';

t.test(
  'an etcd cluster over three lab hosts',
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const fabric = await startFabric();
    t.teardown(() => fabric.stop());
    const members = [];
    for (const index of [1, 2, 3]) {
      const engine = await startEngine({ fabric, index, dockerd: false });
      t.teardown(() => engine.stop());
      members.push({ host: engine.host, index });
    }
    const processes = await startLabEtcd(members);
    const env = { ETCDCTL_API: '3' };
    await members[0]?.host.must('etcdctl', ['put', 'key', 'value'], { env });
    await processes[0]?.end('SIGKILL');
    const read = await members[2]?.host.must('etcdctl', ['get', '--print-value-only', 'key'], {
      env,
    });
    t.equal(read?.trim(), 'value', 'two of three go on');
  },
);
