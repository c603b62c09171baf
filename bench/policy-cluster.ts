/** Distinct values of the labels that policies select by: of endpoints of this host, and in rules. */
export const APPS = 200;
export const ROLES = 100;
/** Rules of one policy. */
export const RULES = 10;

/** The host side of an endpoint's pair. */
export const interfaceOf = (endpoint: string): string => `cali${endpoint}`;
