import { Type } from 'typebox';
import { Cidr } from '../cidr.js';
import { cell, nameColumn, type Kind } from './kind.js';
import { stringsOf } from './resource.js';

export const ipReservationKind: Kind = {
  kind: 'IPReservation',
  plural: 'ipreservations',
  aliases: ['reservation', 'reservations'],
  namespaced: false,
  summary: 'addresses that are never given out by themselves',
  example: `apiVersion: projectcalico.org/v3
kind: IPReservation
metadata:
  name: routers
spec:
  reservedCIDRs:
  - 10.20.0.0/30
`,
  spec: Type.Object({ reservedCIDRs: Type.Optional(Type.Array(Type.String())) }),
  columns: [
    nameColumn,
    { heading: 'CIDRS', value: ({ spec }) => cell(stringsOf(spec, 'reservedCIDRs')) },
  ],
  tableHeadings: ['NAME'],
  wideHeadings: ['NAME', 'CIDRS'],
  check: ({ spec }) =>
    stringsOf(spec, 'reservedCIDRs').flatMap((text, index) =>
      Cidr.tryParse(text) !== undefined
        ? []
        : [
            {
              field: `spec.reservedCIDRs[${index}]`,
              value: text,
              reason: 'must be a network in CIDR form; one address is written with /32 or /128',
            },
          ],
    ),
};
