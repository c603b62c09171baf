import { Type } from 'typebox';
import { cell, nameColumn, type Column, type Kind } from './kind.js';

const column = (heading: string, member: string): Column => ({
  heading,
  value: ({ spec }) => cell(spec[member]),
});

const HEADINGS = ['NAME', 'CLUSTERGUID', 'CLUSTERTYPE', 'CALICOVERSION', 'DATASTOREREADY'];

export const clusterInformationKind: Kind = {
  kind: 'ClusterInformation',
  plural: 'clusterinformations',
  aliases: ['clusterinfo', 'clusterinfos'],
  namespaced: false,
  readOnly: true,
  summary: 'identity of the cluster and whether its datastore is ready; cannot be written',
  example: '',
  spec: Type.Object({
    clusterGUID: Type.Optional(Type.String()),
    clusterType: Type.Optional(Type.String()),
    calicoVersion: Type.Optional(Type.String()),
    datastoreReady: Type.Optional(Type.Boolean({ always: true })),
    variant: Type.Optional(Type.String()),
  }),
  columns: [
    nameColumn,
    column('CLUSTERGUID', 'clusterGUID'),
    column('CLUSTERTYPE', 'clusterType'),
    column('CALICOVERSION', 'calicoVersion'),
    column('DATASTOREREADY', 'datastoreReady'),
  ],
  tableHeadings: HEADINGS,
  wideHeadings: HEADINGS,
  check: () => [],
};
