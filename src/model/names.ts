import { createHash } from 'node:crypto';

/** `spec.orchestrator` and `spec.workload` of every endpoint that Docker asks for (datamodel §1.8). */
export const ORCHESTRATOR = 'libnetwork';
export const WORKLOAD = 'libnetwork';

const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** DNS-1123 subdomain, the rule for most object names. */
export function isObjectName(text: string): boolean {
  return text.length > 0 && text.length <= 253 && SUBDOMAIN.test(text);
}

/** The name Calico computes for a workload endpoint: `-` doubled inside segments, joined by single `-`. */
export function workloadEndpointName(
  node: string,
  endpoint: string,
  workload = WORKLOAD,
  orchestrator = ORCHESTRATOR,
): string {
  return [node, orchestrator, workload, endpoint]
    .map((segment) => segment.replaceAll('-', '--'))
    .join('-');
}

/** Host end of the veth pair; 15 characters, the kernel's limit. */
export function hostInterfaceName(endpointId: string): string {
  return `cali${endpointId.slice(0, 11)}`;
}

/** The container's end before Docker moves and renames it. */
export function peerInterfaceName(endpointId: string): string {
  return `temp${endpointId.slice(0, 11)}`;
}

/**
 * The profile of a Docker network: its name if that is a valid object name, else lower-cased with
 * other characters as `-`, then `-` and 8 hex digits of the SHA-1 of the original.
 */
export function profileName(networkName: string): string {
  if (isObjectName(networkName) && networkName.length <= 63) return networkName;
  const digest = createHash('sha1').update(networkName).digest('hex').slice(0, 8);
  const cleaned = networkName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 54);
  return cleaned === '' ? `network-${digest}` : `${cleaned.replaceAll(/-+$/g, '')}-${digest}`;
}

/** The profile used until a network's name is known: same network talks, nobody else. */
export function provisionalProfileName(networkId: string): string {
  return `docker-${networkId.slice(0, 12)}`;
}
