import { Type } from 'typebox';
import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import { cell, nameColumn, type Kind } from './kind.js';
import type { Problem } from './problem.js';
import { stringsOf, type Resource } from './resource.js';
import { NAMESPACE_LABEL } from './stored-workload-endpoint.js';

const WIDEST = 80;

/** What the two kinds of network sets share. */
export const networkSetParts = {
  spec: Type.Object({ nets: Type.Optional(Type.Array(Type.String())) }),
  columns: [
    nameColumn,
    {
      heading: 'NETS',
      value: ({ spec }: Resource) => {
        const nets = cell(stringsOf(spec, 'nets'));
        return nets.length > WIDEST ? `${nets.slice(0, WIDEST - 3)}...` : nets;
      },
    },
  ],
  tableHeadings: ['NAME'],
  wideHeadings: ['NAME', 'NETS'],
  check,
} satisfies Partial<Kind>;

/** Bare addresses, set host bits and empty texts are Calico's own tolerance (datamodel §6.3). */
function check({ metadata, spec }: Resource): Problem[] {
  const problems: Problem[] = stringsOf(spec, 'nets').flatMap((net, index) => {
    const fine =
      net === '' || Cidr.tryParse(net) !== undefined || Address.tryParse(net) !== undefined;
    const reason = 'must be a network as address/length, or one address';
    return fine ? [] : [{ field: `Nets[${index}]`, value: net, reason }];
  });
  if (metadata.labels?.[NAMESPACE_LABEL] !== undefined) {
    const reason = `${NAMESPACE_LABEL} is not a valid label name: the namespace of a set is where it is stored`;
    problems.push({ field: 'Metadata.Labels (label)', value: NAMESPACE_LABEL, reason });
  }
  return problems;
}
