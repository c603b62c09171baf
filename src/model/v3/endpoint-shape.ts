import { Type } from 'typebox';

const text = Type.Optional(Type.String());
const texts = Type.Optional(Type.Array(Type.String()));
const count = Type.Optional(Type.Integer());
const always = { always: true };

const port = Type.Object({
  name: Type.String(always),
  protocol: Type.Union([Type.Integer(), Type.String()], always),
  port: Type.Integer(always),
  hostPort: Type.Integer(always),
  hostIP: Type.String(always),
});

/** `spec` of a WorkloadEndpoint, members in Calico's order. */
export const endpointShape = Type.Object({
  orchestrator: text,
  workload: text,
  node: text,
  containerID: text,
  pod: text,
  endpoint: text,
  serviceAccountName: text,
  ipNetworks: texts,
  ipNATs: Type.Optional(Type.Array(Type.Object({ internalIP: text, externalIP: text }))),
  ipv4Gateway: text,
  ipv6Gateway: text,
  profiles: texts,
  interfaceName: text,
  mac: text,
  ports: Type.Optional(Type.Array(port)),
  allowSpoofedSourcePrefixes: texts,
  qosControls: Type.Optional(
    Type.Object({
      ingressBandwidth: count,
      ingressBurst: count,
      ingressPeakrate: count,
      ingressMinburst: count,
      egressBandwidth: count,
      egressBurst: count,
      egressPeakrate: count,
      egressMinburst: count,
      ingressPacketRate: count,
      ingressPacketBurst: count,
      egressPacketRate: count,
      egressPacketBurst: count,
      ingressMaxConnections: count,
      egressMaxConnections: count,
      dscp: Type.Optional(Type.Union([Type.Integer(), Type.String()], always)),
    }),
  ),
});
