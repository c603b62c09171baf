import { Type } from 'typebox';
import { cell, nameColumn, type Kind } from './kind.js';
import { isLabelKey, isLabelValue } from './metadata-checks.js';
import { API_VERSION, sortedMap, stringMapOf, type Resource } from './resource.js';
import { checkRules } from './rule-checks.js';
import { completeRules, rulesShape } from './rule-shape.js';
import { DEFAULT_ALLOW_PROFILE } from './stored-profile.js';

const defaultAllow: Resource = {
  kind: 'Profile',
  apiVersion: API_VERSION,
  metadata: { name: DEFAULT_ALLOW_PROFILE, resourceVersion: '1' },
  spec: { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
};

export const profileKind: Kind = {
  kind: 'Profile',
  plural: 'profiles',
  aliases: ['pro'],
  namespaced: false,
  summary: 'rules and labels of all endpoints of one network',
  example: `apiVersion: projectcalico.org/v3
kind: Profile
metadata:
  name: frontend
spec:
  ingress:
  - action: Allow
    source:
      selector: has(frontend)
  egress:
  - action: Allow
  labelsToApply:
    frontend: ""
`,
  spec: Type.Object({
    ingress: rulesShape,
    egress: rulesShape,
    labelsToApply: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  columns: [
    nameColumn,
    {
      heading: 'LABELS',
      value: ({ spec }) =>
        cell(
          Object.entries(sortedMap(stringMapOf(spec['labelsToApply']))).map(
            ([key, value]) => `${key}=${value}`,
          ),
        ),
    },
  ],
  tableHeadings: ['NAME'],
  wideHeadings: ['NAME', 'LABELS'],
  builtIn: [defaultAllow],
  complete: ({ spec }) => {
    for (const direction of ['ingress', 'egress']) {
      if (spec[direction] !== undefined) spec[direction] = completeRules(spec[direction]);
    }
    const labels = stringMapOf(spec['labelsToApply']);
    if (Object.keys(labels).length > 0) spec['labelsToApply'] = sortedMap(labels);
  },
  check: ({ spec }) => [
    ...checkRules(spec['ingress'], 'ingress'),
    ...checkRules(spec['egress'], 'egress'),
    ...Object.entries(stringMapOf(spec['labelsToApply'])).flatMap(([key, value]) =>
      isLabelKey(key) && isLabelValue(value)
        ? []
        : [
            {
              field: 'LabelsToApply',
              value: `${key}=${value}`,
              reason: "a label is letters, digits, '-', '_' and '.', key and value at most 63 each",
            },
          ],
    ),
  ],
};
