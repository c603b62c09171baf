import { Type, type TSchema } from 'typebox';

/** Members of `spec` by type, from datamodel §1.12. All are pointers in Calico: a zero is a value. */
const TEXTS = [
  ...['interfacePrefix', 'interfaceExclude', 'mtuIfacePattern', 'policySyncPathPrefix'],
  ...['endpointStatusPathPrefix', 'iptablesNATOutgoingInterfaceFilter', 'featureDetectOverride'],
  ...['featureGates', 'nftablesFlowTableDataIfacePattern', 'deviceRouteSourceAddress'],
  ...['deviceRouteSourceAddressIPv6', 'natOutgoingAddress', 'logFilePath', 'logSeverityFile'],
  ...['logSeverityScreen', 'logSeveritySys', 'logPrefix', 'logActionRateLimit'],
  ...['logDebugFilenameRegex', 'healthHost', 'prometheusMetricsHost', 'prometheusMetricsCAFile'],
  ...['prometheusMetricsCertFile', 'prometheusMetricsKeyFile', 'prometheusMetricsClientAuth'],
  ...['metadataAddr', 'openstackRegion', 'debugHost', 'dataplaneDriver', 'wireguardInterfaceName'],
  ...['wireguardInterfaceNameV6', 'awsSrcDstCheck', 'floatingIPs', 'bpfLogLevel', 'bpfLogFilters'],
  ...['bpfConnectTimeLoadBalancing', 'bpfHostNetworkedNATWithoutCTLB', 'bpfDataIfacePattern'],
  ...['bpfL3IfacePattern', 'bpfExternalServiceMode', 'bpfEnforceRPF', 'workloadSourceSpoofing'],
  ...['ipForwarding', 'natOutgoingExclusions', 'serviceLoopPrevention', 'routeSource'],
] as const;
const DURATIONS = [
  ...['iptablesRefreshInterval', 'iptablesPostWriteCheckInterval', 'iptablesLockProbeInterval'],
  ...['ipsetsRefreshInterval', 'nftablesRefreshInterval', 'routeRefreshInterval'],
  ...['interfaceRefreshInterval', 'reportingInterval', 'reportingTTL', 'endpointReportingDelay'],
  ...['dataplaneWatchdogTimeout', 'usageReportingInitialDelay', 'usageReportingInterval'],
  ...['netlinkTimeout', 'xdpRefreshInterval', 'wireguardKeepAlive'],
  ...['liveMigrationRouteConvergenceTime'],
] as const;
const FLAGS = [
  ...['ipv6Support', 'requireMTUFile', 'disableConntrackInvalidCheck', 'removeExternalRoutes'],
  ...['routeSyncDisabled', 'ipipEnabled', 'vxlanEnabled', 'allowVXLANPacketsFromWorkloads'],
  ...['allowIPIPPacketsFromWorkloads', 'endpointReportingEnabled', 'healthEnabled'],
  ...['prometheusMetricsEnabled', 'prometheusGoMetricsEnabled', 'prometheusProcessMetricsEnabled'],
  ...['prometheusWireGuardMetricsEnabled', 'usageReportingEnabled', 'useInternalDataplaneDriver'],
  ...['xdpEnabled', 'genericXDPEnabled', 'sidecarAccelerationEnabled', 'wireguardEnabled'],
  ...['wireguardEnabledV6', 'wireguardHostEncryptionEnabled', 'wireguardThreadingEnabled'],
  ...['bpfEnabled', 'bpfConnectTimeLoadBalancingEnabled', 'bpfDisableUnprivileged'],
  ...['bpfKubeProxyIptablesCleanupEnabled'],
] as const;
const NUMBERS = [
  ...['iptablesMarkMask', 'nftablesMarkMask', 'maxIpsetSize', 'deviceRouteProtocol', 'ipipMTU'],
  ...['vxlanMTU', 'vxlanMTUV6', 'vxlanPort', 'vxlanVNI', 'ipv4NormalRoutePriority'],
  ...['ipv6NormalRoutePriority', 'ipv4ElevatedRoutePriority', 'ipv6ElevatedRoutePriority'],
  ...['logActionRateLimitBurst', 'healthPort', 'prometheusMetricsPort', 'metadataPort'],
  ...['debugPort', 'wireguardListeningPort', 'wireguardListeningPortV6', 'wireguardMTU'],
  ...['wireguardMTUV6', 'wireguardRoutingRulePriority'],
] as const;
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  chainInsertMode: ['Insert', 'Append'],
  defaultEndpointToHostAction: ['Drop', 'Return', 'Accept'],
  iptablesBackend: ['Legacy', 'NFT', 'Auto'],
  iptablesFilterAllowAction: ['Accept', 'Return'],
  iptablesMangleAllowAction: ['Accept', 'Return'],
  iptablesFilterDenyAction: ['Drop', 'Reject'],
  nftablesMode: ['Auto', 'Enabled', 'Disabled'],
  nftablesFilterAllowAction: ['Accept', 'Return'],
  nftablesMangleAllowAction: ['Accept', 'Return'],
  nftablesFilterDenyAction: ['Drop', 'Reject'],
  nftablesFlowTableOffload: ['Enabled', 'Disabled'],
  programClusterRoutes: ['Disabled', 'EnabledIPIPOnly', 'EnabledNoEncapOnly', 'Enabled'],
};

const failsafes = Type.Array(
  Type.Object({
    protocol: Type.Optional(Type.String({ always: true })),
    port: Type.Integer({ always: true }),
    net: Type.Optional(Type.String()),
  }),
  { always: true },
);
const range = Type.Object({
  min: Type.Optional(Type.Integer({ always: true })),
  max: Type.Optional(Type.Integer({ always: true })),
});
const numberOrText = Type.Union([Type.Integer(), Type.String()]);

function members(names: readonly string[], make: () => TSchema): Record<string, TSchema> {
  return Object.fromEntries(names.map((name) => [name, Type.Optional(make())]));
}

/** Durations and choices, for checks by name. */
export const felixDurations: readonly string[] = DURATIONS;
export const felixChoices = CHOICES;

/** Members that newer versions added are kept when an object is rewritten, though nobody can write them here. */
export const felixShape = Type.Object({
  ...members(TEXTS, () => Type.String({ always: true })),
  ...members(Object.keys(CHOICES), () => Type.String()),
  ...members(DURATIONS, () => Type.String()),
  ...members(FLAGS, () => Type.Boolean({ always: true })),
  ...members(NUMBERS, () => Type.Integer({ always: true })),
  failsafeInboundHostPorts: Type.Optional(failsafes),
  failsafeOutboundHostPorts: Type.Optional(failsafes),
  externalNodesList: Type.Optional(Type.Array(Type.String())),
  routeTableRanges: Type.Optional(Type.Array(range)),
  routeTableRange: Type.Optional(range),
  kubeNodePortRanges: Type.Optional(Type.Array(numberOrText, { always: true })),
  natPortRange: Type.Optional(numberOrText),
  healthTimeoutOverrides: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), timeout: Type.String() })),
  ),
});
