import { Type } from 'typebox';
import { nameColumn, type Kind } from './kind.js';
import { goNumber } from './policy-parts.js';
import type { Problem } from './problem.js';
import { stringOf, type Resource } from './resource.js';
import { builtInTiers } from './stored-cluster.js';

const DEFAULT_ORDER = 1_000_000;

function checkName({ metadata }: Resource): Problem[] {
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(metadata.name)) return [];
  const reason =
    "name must consist of lower case alphanumeric characters or '-', begin and end with one of the former, and have at most 63, such as 'security'";
  return [{ field: 'Metadata.Name', value: metadata.name, reason }];
}

/** The tiers that every datastore has stay as they are. */
function check({ metadata, spec }: Resource): Problem[] {
  const builtIn = builtInTiers.find(({ name }) => name === metadata.name);
  if (builtIn === undefined) return [];
  const { name, order, defaultAction } = builtIn;
  const problems: Problem[] = [];
  if (spec['defaultAction'] !== defaultAction) {
    const reason = `the ${name} tier must have default action '${defaultAction}'`;
    problems.push({ field: 'spec.defaultAction', value: stringOf(spec, 'defaultAction'), reason });
  }
  if (spec['order'] !== order) {
    const reason = `${name} tier order must be ${order}`;
    problems.push({ field: 'spec.order', value: goNumber(spec['order']), reason });
  }
  return problems;
}

/** As calicoctl lists them: in the order of evaluation, equals by name. */
function compare(a: Resource, b: Resource): number {
  const order = ({ spec }: Resource): number =>
    typeof spec['order'] === 'number' ? spec['order'] : DEFAULT_ORDER;
  if (order(a) !== order(b)) return order(a) - order(b);
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

export const tierKind: Kind = {
  kind: 'Tier',
  plural: 'tiers',
  aliases: [],
  namespaced: false,
  summary: 'policies that are asked together, before or after those of other tiers',
  example: `apiVersion: projectcalico.org/v3
kind: Tier
metadata:
  name: security
spec:
  order: 100
  defaultAction: Pass
`,
  spec: Type.Object({
    order: Type.Optional(Type.Number({ always: true })),
    defaultAction: Type.Optional(Type.Union([Type.Literal('Pass'), Type.Literal('Deny')])),
  }),
  status: Type.Object({ conditions: Type.Optional(Type.Array(Type.Unknown())) }),
  emptyStatus: true,
  columns: [
    nameColumn,
    {
      heading: 'ORDER',
      value: ({ spec }) => goNumber(spec['order']),
    },
  ],
  tableHeadings: ['NAME', 'ORDER'],
  wideHeadings: ['NAME', 'ORDER'],
  compare,
  checkName,
  complete: ({ spec }) => {
    spec['order'] ??= DEFAULT_ORDER;
    spec['defaultAction'] = stringOf(spec, 'defaultAction', 'Deny');
  },
  check,
};
