import { ownLabels } from './scoped-selector.js';
import type { EndpointFacts } from './selector-members.js';
import { SharedValues } from './shared-values.js';

/** What selectors see of endpoints, and nothing else: those of the cluster are many, and alike but for their addresses. */
export class SharedFacts {
  readonly #labels = new SharedValues<Readonly<Record<string, string>>>();
  readonly #profiles = new SharedValues<readonly string[]>();

  of({ addresses, labels, profiles, ports = [] }: EndpointFacts): EndpointFacts {
    const own = ownLabels(labels);
    return {
      addresses,
      labels: this.#labels.share(JSON.stringify(own), own),
      profiles: this.#profiles.share(JSON.stringify(profiles), profiles),
      ...(ports.length === 0 ? {} : { ports }),
    };
  }
}
