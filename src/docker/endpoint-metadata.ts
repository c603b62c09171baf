import type { DockerEndpoint } from './engine-records.js';

/** Container labels with this prefix become endpoint labels without it (the predecessors' rule). */
export const LABEL_PREFIX = 'org.projectcalico.label.';
/** Annotations of an endpoint; Calico keeps them and shows them with `-o yaml`. */
export const CONTAINER_NAME_ANNOTATION = 'calico-libnetwork/container-name';
export const NETWORK_NAME_ANNOTATION = 'calico-libnetwork/network-name';

/** `prefixed` is the rule above; `all` copies every other label too; `none` copies nothing. */
export type LabelMode = 'prefixed' | 'all' | 'none';

/** What one later commit puts on the WorkloadEndpoint; other labels and annotations of it stay. */
export interface EndpointChange {
  readonly containerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Why a container label did not become an endpoint label. */
export type SkipReason = 'empty-key' | 'bad-key' | 'bad-value' | 'reserved' | 'shadowed';

export interface SkippedLabel {
  /** As the container has it. */
  readonly label: string;
  readonly reason: SkipReason;
  readonly message: string;
}

export interface EndpointMetadata {
  readonly change: EndpointChange;
  readonly skipped: readonly SkippedLabel[];
}

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
/** Calico sets these itself on every write of an endpoint. */
const RESERVED = new Set(['projectcalico.org/namespace', 'projectcalico.org/orchestrator']);

/**
 * What a container tells about its endpoint. A label that Calico's validation would refuse is left out with
 * its reason, one by one: the others must not suffer for it. A prefixed label wins over a plain one.
 */
export function endpointMetadata(endpoint: DockerEndpoint, mode: LabelMode): EndpointMetadata {
  const labels = new Map<string, string>();
  const skipped: SkippedLabel[] = [];
  const isPrefixed = (label: string): boolean => label.startsWith(LABEL_PREFIX);
  const ordered = Object.entries(endpoint.labels).sort(
    ([one], [other]) => Number(isPrefixed(other)) - Number(isPrefixed(one)),
  );
  for (const [label, value] of ordered) {
    if (mode === 'none' || (mode === 'prefixed' && !isPrefixed(label))) continue;
    const key = isPrefixed(label) ? label.slice(LABEL_PREFIX.length) : label;
    const reason = labels.has(key) ? 'shadowed' : refusalOf(key, value);
    if (reason === undefined) labels.set(key, value);
    else skipped.push({ label, reason, message: messageFor(label, key, value, reason) });
  }
  const annotations = {
    [CONTAINER_NAME_ANNOTATION]: endpoint.containerName,
    [NETWORK_NAME_ANNOTATION]: endpoint.networkName,
  };
  const { containerId } = endpoint;
  return { change: { containerId, labels: Object.fromEntries(labels), annotations }, skipped };
}

/** Calico's rules for labels (datamodel §3.1): Kubernetes' qualified names and label values. */
function refusalOf(key: string, value: string): SkipReason | undefined {
  if (key === '') return 'empty-key';
  if (RESERVED.has(key)) return 'reserved';
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined;
  const goodPrefix = prefix === undefined || (prefix.length <= 253 && PREFIX.test(prefix));
  if (parts.length > 2 || !goodPrefix || !NAME.test(name)) return 'bad-key';
  return value === '' || NAME.test(value) ? undefined : 'bad-value';
}

function messageFor(label: string, key: string, value: string, reason: SkipReason): string {
  const rule = 'at most 63 letters, digits, "-", "_" or "." between letters or digits';
  switch (reason) {
    case 'empty-key':
      return `label ${label} has nothing after the prefix; name the endpoint label there`;
    case 'reserved':
      return `label ${label} is left out: ${key} is set by Calico itself`;
    case 'shadowed':
      return `label ${label} is left out: ${LABEL_PREFIX}${key} says ${key} already`;
    case 'bad-key':
      return `label ${label} is left out: "${key.slice(0, 80)}" is no label key; use ${rule}`;
    case 'bad-value':
      return `label ${label} is left out: its value "${value.slice(0, 80)}" is no label value; use ${rule}`;
  }
}
